//! Looks a user up in the image's own /etc/passwd and /etc/group, as `docker run -u` does.

use super::error::ContainerError;

/// What a process runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Groups that list the user; only of a user with a name.
    pub(super) additional_gids: Vec<u32>,
}

/// Resolves "user" or "user:group", each a name or a number.
pub(super) fn resolve(
    wanted: &str,
    passwd: Option<&str>,
    group: Option<&str>,
) -> Result<Identity, ContainerError> {
    let (user, wanted_group) = match wanted.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (wanted, None),
    };
    let entry = passwd.and_then(|passwd| find_user(passwd, user));
    let mut identity = match (&entry, user.parse()) {
        (Some(entry), _) => Identity {
            uid: entry.uid,
            gid: entry.gid,
            additional_gids: Vec::new(),
        },
        (None, Ok(uid)) => Identity {
            uid,
            ..Identity::default()
        },
        (None, Err(_)) => {
            return Err(ContainerError::UnknownUser(format!(
                "unable to find user {user}: no matching entries in passwd file"
            )));
        }
    };
    match wanted_group {
        Some(name) => identity.gid = find_group(group, name)?,
        None => {
            if let (Some(entry), Some(group)) = (entry, group) {
                identity.additional_gids = groups_of(group, &entry.name);
            }
        }
    }
    Ok(identity)
}

/// The home directory of a user that has an entry.
pub(super) fn home_of(passwd: &str, uid: u32) -> Option<String> {
    let line = passwd
        .lines()
        .find(|line| parse_user(line).is_some_and(|entry| entry.uid == uid))?;
    let home = line.split(':').nth(5)?;
    (!home.is_empty()).then(|| home.to_owned())
}

struct User {
    name: String,
    uid: u32,
    gid: u32,
}

/// By name first, then by number.
fn find_user(passwd: &str, user: &str) -> Option<User> {
    let number = user.parse::<u32>().ok();
    let entries = || passwd.lines().filter_map(parse_user);
    entries()
        .find(|entry| entry.name == user)
        .or_else(|| entries().find(|entry| Some(entry.uid) == number))
}

fn parse_user(line: &str) -> Option<User> {
    let mut fields = line.split(':');
    Some(User {
        name: fields.next()?.to_owned(),
        uid: fields.nth(1)?.parse().ok()?,
        gid: fields.next()?.parse().ok()?,
    })
}

/// Name, number and members of one line of the group file.
fn parse_group(line: &str) -> Option<(&str, u32, &str)> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    let gid = fields.nth(1)?.parse().ok()?;
    Some((name, gid, fields.next().unwrap_or_default()))
}

fn find_group(group: Option<&str>, wanted: &str) -> Result<u32, ContainerError> {
    group
        .unwrap_or_default()
        .lines()
        .filter_map(parse_group)
        .find(|(name, ..)| *name == wanted)
        .map(|(_, gid, _)| gid)
        .or_else(|| wanted.parse().ok())
        .ok_or_else(|| {
            ContainerError::UnknownUser(format!(
                "unable to find group {wanted}: no matching entries in group file"
            ))
        })
}

fn groups_of(group: &str, user: &str) -> Vec<u32> {
    group
        .lines()
        .filter_map(parse_group)
        .filter(|(_, _, members)| members.split(',').any(|member| member.trim() == user))
        .map(|(_, gid, _)| gid)
        .collect()
}

#[cfg(test)]
mod tests;
