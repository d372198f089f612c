//! `user[:group]` by name or number, looked up in the image's own user data base.

use super::error::SpecError;
use crate::images::Accounts;

/// The largest id that engines take: the kernel's interface is signed in places.
const MAX_ID: u32 = i32::MAX.cast_unsigned();
const DEFAULT_HOME: &str = "/";

/// Who a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Supplementary groups of the user's name; none when a group was named.
    pub(super) groups: Vec<u32>,
    pub(super) home: String,
}

struct PasswdLine<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

struct GroupLine<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

/// Finds the user; empty means root. A number needs no entry, a name does.
pub(super) fn identity(asked: &str, accounts: &Accounts) -> Result<Identity, SpecError> {
    let (user, group) = asked.split_once(':').unwrap_or((asked, ""));
    let number = id(user)?;
    let wanted = if user.is_empty() { Some(0) } else { number };
    let by_name = passwd(accounts).find(|line| !user.is_empty() && line.name == user);
    let entry = by_name.or_else(|| passwd(accounts).find(|line| Some(line.uid) == wanted));
    let mut identity = match (&entry, wanted) {
        (Some(line), _) => {
            let home = if line.home.is_empty() {
                DEFAULT_HOME
            } else {
                line.home
            };
            Identity {
                uid: line.uid,
                gid: line.gid,
                groups: Vec::new(),
                home: home.to_owned(),
            }
        }
        (None, Some(uid)) => Identity {
            uid,
            gid: 0,
            groups: Vec::new(),
            home: DEFAULT_HOME.to_owned(),
        },
        (None, None) => return Err(SpecError::UnknownUser(user.to_owned())),
    };
    if !group.is_empty() {
        identity.gid = group_id(group, accounts)?;
    } else if let Some(line) = entry {
        let lists = |members: &str| members.split(',').any(|member| member.trim() == line.name);
        let of_user = groups(accounts).filter(|found| lists(found.members));
        identity.groups = of_user.map(|found| found.gid).collect();
        identity.groups.sort_unstable();
        identity.groups.dedup();
    }
    Ok(identity)
}

fn group_id(asked: &str, accounts: &Accounts) -> Result<u32, SpecError> {
    if let Some(line) = groups(accounts).find(|line| line.name == asked) {
        return Ok(line.gid);
    }
    id(asked)?.ok_or_else(|| SpecError::UnknownGroup(asked.to_owned()))
}

/// A number, `None` for a name.
fn id(text: &str) -> Result<Option<u32>, SpecError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let number = text.parse().ok().filter(|number| *number <= MAX_ID);
    number
        .map(Some)
        .ok_or_else(|| SpecError::IdRange(text.to_owned()))
}

fn passwd(accounts: &Accounts) -> impl Iterator<Item = PasswdLine<'_>> {
    lines(&accounts.passwd).filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        let home = fields.nth(1).unwrap_or_default();
        Some(PasswdLine {
            name,
            uid,
            gid,
            home,
        })
    })
}

fn groups(accounts: &Accounts) -> impl Iterator<Item = GroupLine<'_>> {
    lines(&accounts.group).filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let gid = fields.nth(1)?.parse().ok()?;
        Some(GroupLine {
            name,
            gid,
            members: fields.next().unwrap_or_default(),
        })
    })
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}
