//! The one test binary.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and acts as the outside world"
)]

mod agent_cases;
mod aws_file_cases;
mod cause_document;
mod clock_cases;
mod construct_document;
mod doctor_case;
mod doctor_cases;
mod explain_cases;
mod explain_counts;
mod explain_encoded;
mod explain_here;
mod explain_reported;
mod explain_scope;
mod explain_secrets;
mod explain_wrapped;
mod extreme_cases;
mod fingerprint;
mod fixes;
mod imports;
mod keeper_cases;
mod large_inputs;
mod layers;
mod links;
mod mfa_process_cases;
mod network_cases;
mod notice_cases;
mod pace_cases;
mod plan_cases;
mod reader_cases;
mod screens;
mod session_cases;
mod simulation;
#[path = "../standin/mod.rs"]
mod standin;

#[cfg(feature = "daemon")]
mod edge_bad_input;
#[cfg(feature = "daemon")]
mod edge_booted;
#[cfg(feature = "daemon")]
mod edge_cache;
#[cfg(feature = "daemon")]
mod edge_cache_faults;
#[cfg(feature = "daemon")]
mod edge_cache_fixes;
#[cfg(feature = "daemon")]
mod edge_clock;
#[cfg(feature = "daemon")]
mod edge_directories;
#[cfg(feature = "daemon")]
mod edge_doctor;
#[cfg(feature = "daemon")]
mod edge_doctor_bad_input;
#[cfg(feature = "daemon")]
mod edge_doctor_calls;
#[cfg(feature = "daemon")]
mod edge_doctor_elsewhere;
#[cfg(feature = "daemon")]
mod edge_doctor_files;
#[cfg(feature = "daemon")]
mod edge_doctor_tokens;
#[cfg(feature = "daemon")]
mod edge_doctor_verdict;
#[cfg(feature = "daemon")]
mod edge_explain;
#[cfg(feature = "daemon")]
mod edge_explain_places;
#[cfg(feature = "daemon")]
mod edge_faults;
#[cfg(feature = "daemon")]
mod edge_files;
#[cfg(all(feature = "daemon", target_os = "linux"))]
mod edge_floods;
#[cfg(feature = "daemon")]
mod edge_foreign_text;
#[cfg(feature = "daemon")]
mod edge_kills;
#[cfg(feature = "daemon")]
mod edge_login;
#[cfg(feature = "daemon")]
mod edge_main_job;
#[cfg(feature = "daemon")]
mod edge_mfa;
#[cfg(feature = "daemon")]
mod edge_mfa_siblings;
#[cfg(feature = "daemon")]
mod edge_network;
#[cfg(feature = "daemon")]
mod edge_notify;
#[cfg(all(feature = "daemon", target_os = "linux"))]
mod edge_owners;
#[cfg(feature = "daemon")]
mod edge_probe;
#[cfg(feature = "daemon")]
mod edge_process;
#[cfg(feature = "daemon")]
mod edge_remarks;
#[cfg(feature = "daemon")]
mod edge_secrets;
#[cfg(feature = "daemon")]
mod edge_service;
#[cfg(all(feature = "daemon", target_os = "linux"))]
mod edge_service_again;
#[cfg(feature = "daemon")]
mod edge_sleep;
#[cfg(all(feature = "daemon", target_os = "linux"))]
mod edge_soak;
#[cfg(feature = "daemon")]
mod edge_sso;
#[cfg(feature = "daemon")]
mod edge_status;
#[cfg(feature = "daemon")]
mod edge_systemd;
#[cfg(feature = "daemon")]
mod edge_unreadable;
#[cfg(feature = "daemon")]
mod edge_unsaved;
#[cfg(feature = "daemon")]
mod edge_web_identity;
#[cfg(feature = "daemon")]
mod json_documents;
#[cfg(feature = "daemon")]
mod machine;
#[cfg(feature = "daemon")]
mod person;
#[cfg(feature = "daemon")]
mod reading_in_rust;
#[cfg(feature = "daemon")]
mod user_manager;
