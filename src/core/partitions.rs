//! AWS's regions: which partition each is in, and whether an account has to enable it first.
//!
//! The regions, the patterns and the home regions are those of botocore 1.43.11 (`data/partitions.json` and
//! `data/endpoints.json`, May 2026). Which regions are on by default is the page "Enable or disable AWS Regions in your
//! account" of AWS Account Management: those that were opened before 20 March 2019. A newer region that is missing here is
//! not wrong: [`partition_of`] goes by the pattern then.

/// A region that was known when this version was made.
pub struct Region {
    /// Its name.
    pub name: &'static str,
    /// Its place, as the console and the documentation call it.
    pub place: &'static str,
    /// Whether it is off until the account enables it.
    pub opt_in: bool,
}

/// The region that every account of the same partition has: the one where the partition's global services are. For what is
/// no region, that of the partition `aws`.
pub fn home_region(region: &str) -> &'static str {
    home_of(partition_of(region).unwrap_or("aws"))
}

/// The same for a partition.
pub fn home_of(partition: &str) -> &'static str {
    PARTITIONS.iter().find(|(name, _)| *name == partition).map_or("us-east-1", |(_, home)| *home)
}

/// The partition of a region; `None` for what has not the form of a region of any known partition.
pub fn partition_of(region: &str) -> Option<&'static str> {
    const CONTINENTS: &[&str] = &["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"];
    let word = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let parts: Vec<&str> = region.split('-').collect();
    let (partition, rest) = match parts.as_slice() {
        ["us", "gov", rest @ ..] => ("aws-us-gov", rest),
        ["us", "iso", rest @ ..] => ("aws-iso", rest),
        ["us", "isob", rest @ ..] => ("aws-iso-b", rest),
        ["eu", "isoe", rest @ ..] => ("aws-iso-e", rest),
        ["us", "isof", rest @ ..] => ("aws-iso-f", rest),
        ["eusc", "de", rest @ ..] => ("aws-eusc", rest),
        ["cn", rest @ ..] => ("aws-cn", rest),
        [continent, rest @ ..] if CONTINENTS.contains(continent) => ("aws", rest),
        _ => return None,
    };
    match rest {
        [name, count] if word(name) && number(count) => Some(partition),
        _ => None,
    }
}

/// Whether a name is that of a partition: what stands second in an ARN.
pub fn known_partition(name: &str) -> Option<&'static str> {
    PARTITIONS.iter().find(|(partition, _)| *partition == name).map(|(partition, _)| *partition)
}

/// Whether the region is off until the account enables it. All that were opened since March 2019 are: so is one that is
/// newer than the table, by its form. The other partitions have none of the kind.
pub fn is_opt_in(region: &str) -> bool {
    known(region).map_or_else(|| partition_of(region) == Some("aws") && has_known_words(region), |region| region.opt_in)
}

/// Whether a region that is not in the table is made of the words that regions are made of: a new one would be.
pub fn has_known_words(region: &str) -> bool {
    const WORDS: &[&str] =
        &["north", "south", "east", "west", "central", "northeast", "northwest", "southeast", "southwest"];
    region.rsplit('-').nth(1).is_some_and(|word| WORDS.contains(&word))
}

/// A region of the table.
pub fn known(region: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|known| known.name == region)
}

/// Each partition with its home region.
static PARTITIONS: &[(&str, &str)] = &[
    ("aws", "us-east-1"),
    ("aws-cn", "cn-north-1"),
    ("aws-us-gov", "us-gov-west-1"),
    ("aws-eusc", "eusc-de-east-1"),
    ("aws-iso", "us-iso-east-1"),
    ("aws-iso-b", "us-isob-east-1"),
    ("aws-iso-e", "eu-isoe-west-1"),
    ("aws-iso-f", "us-isof-south-1"),
];

const fn on(name: &'static str, place: &'static str) -> Region {
    Region { name, place, opt_in: false }
}

const fn opt_in(name: &'static str, place: &'static str) -> Region {
    Region { name, place, opt_in: true }
}

/// All of them.
pub static REGIONS: &[Region] = &[
    on("us-east-1", "N. Virginia"),
    on("us-east-2", "Ohio"),
    on("us-west-1", "N. California"),
    on("us-west-2", "Oregon"),
    on("ap-northeast-1", "Tokyo"),
    on("ap-northeast-2", "Seoul"),
    on("ap-northeast-3", "Osaka"),
    on("ap-south-1", "Mumbai"),
    on("ap-southeast-1", "Singapore"),
    on("ap-southeast-2", "Sydney"),
    on("ca-central-1", "Canada (Central)"),
    on("eu-central-1", "Frankfurt"),
    on("eu-north-1", "Stockholm"),
    on("eu-west-1", "Ireland"),
    on("eu-west-2", "London"),
    on("eu-west-3", "Paris"),
    on("sa-east-1", "Sao Paulo"),
    opt_in("af-south-1", "Cape Town"),
    opt_in("ap-east-1", "Hong Kong"),
    opt_in("ap-east-2", "Taipei"),
    opt_in("ap-south-2", "Hyderabad"),
    opt_in("ap-southeast-3", "Jakarta"),
    opt_in("ap-southeast-4", "Melbourne"),
    opt_in("ap-southeast-5", "Malaysia"),
    opt_in("ap-southeast-6", "New Zealand"),
    opt_in("ap-southeast-7", "Thailand"),
    opt_in("ca-west-1", "Calgary"),
    opt_in("eu-central-2", "Zurich"),
    opt_in("eu-south-1", "Milan"),
    opt_in("eu-south-2", "Spain"),
    opt_in("il-central-1", "Tel Aviv"),
    opt_in("me-central-1", "UAE"),
    opt_in("me-south-1", "Bahrain"),
    opt_in("mx-central-1", "Mexico (Central)"),
    on("cn-north-1", "Beijing"),
    on("cn-northwest-1", "Ningxia"),
    on("us-gov-east-1", "GovCloud (US-East)"),
    on("us-gov-west-1", "GovCloud (US-West)"),
    on("eusc-de-east-1", "European Sovereign Cloud (Germany)"),
    on("us-iso-east-1", "US ISO East"),
    on("us-iso-west-1", "US ISO West"),
    on("us-isob-east-1", "US ISOB East"),
    on("us-isob-west-1", "US ISOB West"),
    on("eu-isoe-west-1", "EU ISOE West"),
    on("us-isof-east-1", "US ISOF East"),
    on("us-isof-south-1", "US ISOF South"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_of_the_table_fits_the_pattern_of_its_partition() {
        for region in REGIONS {
            let partition = partition_of(region.name).unwrap_or_else(|| panic!("{} fits none", region.name));
            assert!(known(home_of(partition)).is_some());
            assert!(partition == "aws" || !region.opt_in, "{}", region.name);
        }
        // Seventeen regions were opened before 20 March 2019, Osaka among them, which was a local one then.
        let default = REGIONS.iter().filter(|region| !region.opt_in && partition_of(region.name) == Some("aws"));
        assert_eq!(default.count(), 17);
    }

    #[test]
    fn a_region_has_one_partition_and_what_is_no_region_has_none() {
        for (region, partition, home, opt_in) in [
            ("eu-central-1", Some("aws"), "us-east-1", false),
            ("ap-east-1", Some("aws"), "us-east-1", true),
            ("ap-southeast-9", Some("aws"), "us-east-1", true),
            ("us-est-1", Some("aws"), "us-east-1", false),
            ("cn-northwest-1", Some("aws-cn"), "cn-north-1", false),
            ("us-gov-east-1", Some("aws-us-gov"), "us-gov-west-1", false),
            ("us-isob-east-1", Some("aws-iso-b"), "us-isob-east-1", false),
            ("eu-isoe-west-1", Some("aws-iso-e"), "eu-isoe-west-1", false),
            ("eusc-de-east-1", Some("aws-eusc"), "eusc-de-east-1", false),
            ("us-east-1a", None, "us-east-1", false),
            ("eu-central1", None, "us-east-1", false),
            ("aws-global", None, "us-east-1", false),
            ("us-west-2-lax-1", None, "us-east-1", false),
            ("", None, "us-east-1", false),
        ] {
            assert_eq!(
                (partition_of(region), home_region(region), is_opt_in(region)),
                (partition, home, opt_in),
                "{region}"
            );
        }
    }
}
