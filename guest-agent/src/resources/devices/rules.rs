//! Device rules: later ones win, each for the accesses that it names; what no rule names is denied.

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

use crate::resources::ResourceError;

/// Most rules of one specification.
const MAX_RULES: usize = 1024;

/// The kernel's device numbers have 12 and 20 bits.
const MAX_MAJOR: u32 = (1 << 12) - 1;
const MAX_MINOR: u32 = (1 << 20) - 1;

/// Set of accesses, with the kernel's bits (linux/bpf.h, `BPF_DEVCG_ACC_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::resources) struct Access(pub(super) u8);

impl Access {
    pub(super) const MKNOD: Self = Self(1);
    pub(super) const READ: Self = Self(2);
    pub(super) const WRITE: Self = Self(4);
    pub(super) const ALL: Self = Self(7);

    pub(super) fn holds(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn parse(text: &str) -> Option<Self> {
        let bit = |letter| match letter {
            'm' => Some(Self::MKNOD.0),
            'r' => Some(Self::READ.0),
            'w' => Some(Self::WRITE.0),
            _ => None,
        };
        let bits = text
            .chars()
            .try_fold(0, |bits, letter| Some(bits | bit(letter)?))?;
        (bits != 0).then_some(Self(bits))
    }
}

/// Kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::resources) enum Kind {
    Block,
    Char,
}

/// One rule. What is none matches everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::resources) struct Rule {
    pub(super) allow: bool,
    pub(super) kind: Option<Kind>,
    pub(super) major: Option<u32>,
    pub(super) minor: Option<u32>,
    pub(super) access: Access,
}

impl Rule {
    const fn allow_char(major: u32, minor: Option<u32>) -> Self {
        Self {
            allow: true,
            kind: Some(Kind::Char),
            major: Some(major),
            minor,
            access: Access::ALL,
        }
    }

    const fn allow_mknod(kind: Kind) -> Self {
        Self {
            allow: true,
            kind: Some(kind),
            major: None,
            minor: None,
            access: Access::MKNOD,
        }
    }

    /// Whether it decides everything that the other decides.
    pub(super) fn covers(&self, other: &Self) -> bool {
        fn wider<T: PartialEq + Copy>(one: Option<T>, other: Option<T>) -> bool {
            one.is_none() || one == other
        }
        wider(self.kind, other.kind)
            && wider(self.major, other.major)
            && wider(self.minor, other.minor)
            && self.access.holds(other.access)
    }

    /// Whether it matches every device.
    pub(super) fn is_wild(&self) -> bool {
        self.kind.is_none() && self.major.is_none() && self.minor.is_none()
    }
}

/// What runc lets every container use, whatever its specification says: nodes may be made of all devices, and opened of
/// null, random, full, tty, zero, urandom, pseudo-terminals and their multiplexer.
const ALWAYS: [Rule; 10] = [
    Rule::allow_mknod(Kind::Char),
    Rule::allow_mknod(Kind::Block),
    Rule::allow_char(1, Some(3)),
    Rule::allow_char(1, Some(8)),
    Rule::allow_char(1, Some(7)),
    Rule::allow_char(5, Some(0)),
    Rule::allow_char(1, Some(5)),
    Rule::allow_char(1, Some(9)),
    Rule::allow_char(136, None),
    Rule::allow_char(5, Some(2)),
];

/// Reads the rules in their order and adds what is always allowed.
pub(in crate::resources) fn parse(given: &[LinuxDeviceCgroup]) -> Result<Vec<Rule>, ResourceError> {
    if given.len() > MAX_RULES {
        return Err(ResourceError::Invalid(format!(
            "devices has {} rules: {MAX_RULES} are the most",
            given.len()
        )));
    }
    let mut rules = Vec::with_capacity(given.len() + ALWAYS.len());
    for (index, rule) in given.iter().enumerate() {
        let rule = parse_rule(rule)
            .map_err(|what| ResourceError::Invalid(format!("devices[{index}].{what}")))?;
        rules.push(rule);
    }
    rules.extend(ALWAYS);
    Ok(rules)
}

fn parse_rule(rule: &LinuxDeviceCgroup) -> Result<Rule, String> {
    let kind = match rule.typ() {
        None | Some(LinuxDeviceType::A) => None,
        Some(LinuxDeviceType::B) => Some(Kind::Block),
        Some(LinuxDeviceType::C) => Some(Kind::Char),
        Some(other) => return Err(format!("type: {:?} is not a, b or c", other.as_str())),
    };
    let access = rule.access().as_deref().unwrap_or_default();
    Ok(Rule {
        allow: rule.allow(),
        kind,
        major: number("major", rule.major(), MAX_MAJOR)?,
        minor: number("minor", rule.minor(), MAX_MINOR)?,
        access: Access::parse(access)
            .ok_or_else(|| format!("access: {access:?} is not made of r, w and m"))?,
    })
}

/// -1 stands for all, as in the wildcard `*`.
fn number(field: &str, value: Option<i64>, most: u32) -> Result<Option<u32>, String> {
    match value {
        None | Some(-1) => Ok(None),
        Some(value) => match u32::try_from(value) {
            Ok(number) if number <= most => Ok(Some(number)),
            _ => Err(format!("{field}: {value} is not between 0 and {most}")),
        },
    }
}
