//! aws_file_cases
