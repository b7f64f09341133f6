//! `partition-mismatch`: AWS, AWS China, AWS GovCloud and the others know nothing of each other's keys and roles.

use super::target::{arns, in_force, set_region, shown, sso_region};
use crate::core::doctor::{Case, Cause, Certainty, Finding, Findings};
use crate::core::fix::Fix;
use crate::core::partitions::{home_of, partition_of};
use crate::core::printable::printable;

pub(super) fn look(case: &Case<'_>, findings: &mut Findings) {
    by_settings(case, findings);
}

/// Nothing has to be asked where the settings contradict each other: ARNs name their partition.
fn by_settings(case: &Case<'_>, findings: &mut Findings) {
    let region = in_force(case);
    let (here, here_said, is_sure) = match &region {
        Some(located) => match partition_of(located.text.trim()) {
            Some(partition) => {
                let said = format!("{} is {}, of the partition {partition}", case.place(located), shown(located.text));
                (partition, said, true)
            }
            // That is region-invalid, and says nothing about partitions.
            None => return,
        },
        // boto3 and evercred do; programs that give up without a region never come so far.
        None => ("aws", "no region is set, so programs call STS in the partition aws".to_owned(), false),
    };
    let mut elsewhere: Vec<(&'static str, String)> = arns(case)
        .into_iter()
        .filter(|(partition, _)| *partition != here)
        .map(|(partition, located)| (partition, format!("{} is {}", case.place(&located), printable(located.text))))
        .collect();
    if let Some(sso) = sso_region(case)
        && let Some(partition) = partition_of(sso.text.trim()).filter(|partition| *partition != here)
    {
        elsewhere.push((partition, format!("{} is {}", case.place(&sso), shown(sso.text))));
    }
    let Some((partition, _)) = elsewhere.first() else { return };
    let all_alike = elsewhere.iter().all(|(other, _)| other == partition) && elsewhere.len() >= arns(case).len();
    let finding = Finding::error(
        Cause::PartitionMismatch,
        format!("the settings belong to two partitions, {here} and {partition}, which share no keys or roles"),
    )
    .certainty(if is_sure { Certainty::Confirmed } else { Certainty::Likely })
    .evidence(here_said);
    let finding = finding.evidence_of(elsewhere.iter().map(|(of, said)| format!("{said}, of the partition {of}")));
    let to_region =
        set_region(case, home_of(partition), &format!("Set a region of {partition}, if the credentials belong there."));
    let to_arn = Fix::advice(format!("To use {here}, correct the settings of {partition}."));
    findings.add(if all_alike { finding.fix(to_region).fix(to_arn) } else { finding.fix(to_arn).fix(to_region) });
}
