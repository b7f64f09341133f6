//! aws_file
