//! Configuration fragments: what they ask for, and whether the final configuration grants it.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// Options by name (with `CONFIG_`); `None`: not set.
pub(crate) type Options = BTreeMap<String, Option<String>>;

/// Reads a fragment into `wanted`. A line that is neither an option nor a comment is an error, and so is an option
/// that was asked for before.
pub(crate) fn read(name: &str, text: &str, wanted: &mut Options) -> Result<()> {
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let Some((option, value)) = parse(line) else {
            let line = line.trim();
            if line.is_empty() || (line.starts_with('#') && !line.contains(" is not set")) {
                continue;
            }
            bail!("{name}:{number}: neither an option nor a comment: {line}");
        };
        if wanted
            .insert(option.to_owned(), value.map(str::to_owned))
            .is_some()
        {
            bail!("{name}:{number}: {option} was asked for before");
        }
    }
    Ok(())
}

/// What was asked for and is not so in the final configuration, one line each.
pub(crate) fn lost(wanted: &Options, final_config: &str) -> Vec<String> {
    let got: BTreeMap<&str, Option<&str>> = final_config.lines().filter_map(parse).collect();
    let mut lost = Vec::new();
    for (option, want) in wanted {
        let have = got.get(option.as_str()).copied().flatten();
        if have != want.as_deref() {
            let show = |value: Option<&str>| value.unwrap_or("not set").to_owned();
            lost.push(format!(
                "{option}: asked {}, got {}",
                show(want.as_deref()),
                show(have)
            ));
        }
    }
    lost
}

/// `CONFIG_A=v` or `# CONFIG_A is not set`.
fn parse(line: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = line.strip_prefix("# ") {
        let option = rest.strip_suffix(" is not set")?;
        return is_option(option).then_some((option, None));
    }
    let (option, value) = line.split_once('=')?;
    is_option(option).then_some((option, Some(value)))
}

fn is_option(word: &str) -> bool {
    word.strip_prefix("CONFIG_").is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::{Options, lost, read};

    fn wanted(text: &str) -> Options {
        let mut options = Options::new();
        read("test", text, &mut options).unwrap();
        options
    }

    #[test]
    fn option_that_vanished_is_lost() {
        let lost = lost(&wanted("CONFIG_A=y\nCONFIG_B=y\n"), "CONFIG_A=y\n");
        assert_eq!(lost, ["CONFIG_B: asked y, got not set"]);
    }

    #[test]
    fn option_with_another_value_is_lost() {
        let lost = lost(&wanted("CONFIG_N=16\n"), "CONFIG_N=17\n");
        assert_eq!(lost, ["CONFIG_N: asked 16, got 17"]);
    }

    #[test]
    fn option_that_came_back_is_lost() {
        let lost = lost(&wanted("# CONFIG_A is not set\n"), "CONFIG_A=y\n");
        assert_eq!(lost, ["CONFIG_A: asked not set, got y"]);
    }

    #[test]
    fn option_that_is_off_by_absence_is_granted() {
        assert!(
            lost(
                &wanted("# CONFIG_A is not set\nCONFIG_S=\"x y\"\n"),
                "CONFIG_S=\"x y\"\n"
            )
            .is_empty()
        );
    }

    #[test]
    fn option_asked_for_twice_is_refused() {
        let mut options = wanted("CONFIG_A=y\n");
        assert!(read("other", "# CONFIG_A is not set\n", &mut options).is_err());
    }

    #[test]
    fn line_that_is_no_option_is_refused() {
        for bad in ["CONFIG_A", "A=y", "# CONFIG_A B is not set", "CONFIG_=y"] {
            assert!(read("test", bad, &mut Options::new()).is_err(), "{bad}");
        }
    }
}
