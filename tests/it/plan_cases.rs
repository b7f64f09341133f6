//! plan_cases
