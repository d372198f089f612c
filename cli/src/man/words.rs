//! What manual pages say that options do not: exit codes, signals, examples, files, variables.

/// Part of a page.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) items: &'static [Item],
}

/// Part of a section.
pub(super) enum Item {
    Text(&'static str),
    /// A word and what it means.
    Term(&'static str, &'static str),
    /// What for, and the command.
    Example(&'static str, &'static str),
}

use Item::{Example, Term, Text};

/// Sections of a page, in order.
pub(super) fn sections(page: &str) -> &'static [Section] {
    match page {
        "husk" => &HUSK,
        "husk-run" => &RUN,
        "husk-exec" => &EXEC,
        "husk-check" => &[CHECK_EXIT],
        "husk-ps" | "husk-gc" | "husk-pull" | "husk-completions" | "husk-man" => &[HOST_EXIT],
        _ => &[CONTAINERS_EXIT],
    }
}

const HUSK: [Section; 4] = [
    Section {
        title: "EXIT STATUS",
        items: &[
            Text(
                "husk run and husk exec end as their command does: see husk-run(1) and husk-exec(1). The others:",
            ),
            Term("0", "Done."),
            Term(
                "1",
                "No such container, or it is not in a state for that. With several names: one could not be served. Of husk check: this host cannot run machines.",
            ),
            Term(
                "125",
                "Husk itself failed, or the command line is not understood. One line on standard error says why.",
            ),
        ],
    },
    EXAMPLES,
    FILES,
    ENVIRONMENT,
];

const EXAMPLES: Section = Section {
    title: "EXAMPLES",
    items: &[
        Example("Can this host run machines?", "husk check"),
        Example(
            "A command in a machine of its own:",
            "husk run docker.io/library/busybox:latest uname -a",
        ),
        Example(
            "A container in the background, a shell in it, its output, its end:",
            "husk run -d --name web IMAGE; husk exec -it web sh; husk logs -f web; husk stop web; husk rm web",
        ),
        Example(
            "This page from a directory:",
            "husk man ./man && man -l ./man/husk.1",
        ),
    ],
};

const FILES: Section = Section {
    title: "FILES",
    items: &[
        Term(
            "/etc/husk/config.toml",
            "Settings. Every key has a default; an unknown key is an error.",
        ),
        Term(
            "/run/husk",
            "A directory for each container: its record, its papers, its log, its sockets.",
        ),
        Term(
            "/var/lib/husk/images",
            "Converted images. They are made again when they are removed.",
        ),
        Term(
            "/var/lib/husk",
            "Writable layers of containers, and the measure of the host.",
        ),
        Term(
            "/usr/lib/husk",
            "VMM, kernels and initramfs, when they are not beside the husk command.",
        ),
        Term(
            "$HOME/.docker/config.json",
            "Credentials of registries, as docker login keeps them.",
        ),
    ],
};

const ENVIRONMENT: Section = Section {
    title: "ENVIRONMENT",
    items: &[
        Term(
            "HUSK_CONFIG",
            "The settings file, when --config does not name one.",
        ),
        Term(
            "HUSK_ARTEFACTS",
            "Directory of VMM, kernels and initramfs, when the settings do not name one.",
        ),
        Term(
            "HUSK_LOG",
            "Which of husk's own messages go to standard error: error, warn (as if unset), info, debug or trace.",
        ),
        Term(
            "DOCKER_CONFIG",
            "Directory of config.json with the credentials of registries.",
        ),
    ],
};

const RUN: [Section; 5] = [
    Section {
        title: "EXIT STATUS",
        items: &[
            Text("That of the command, or:"),
            Term(
                "125",
                "Husk itself failed: the image, the machine, an option. One line on standard error says why.",
            ),
            Term("126", "The command is there and cannot be executed."),
            Term("127", "There is no such command."),
            Term(
                "128+n",
                "Signal n ended the command, or husk before the command ran. 137 is also the end of a container that was killed, by a second signal, by its memory limit or because its machine ended.",
            ),
            Text(
                "With -d: 0 when the container runs. What its command ends with is for husk wait and husk ps.",
            ),
        ],
    },
    Section {
        title: "SIGNALS",
        items: &[Text(
            "HUP, INT, QUIT, TERM, USR1, USR2 and ALRM are passed on to the command. Like every process 1 it does not hear a signal that it does not handle, unless --init is given. A second INT, or a second TERM, within ten seconds ends the machine, and husk with code 137. In a terminal (-it) keys go to the container, Ctrl-C too.",
        )],
    },
    Section {
        title: "EXAMPLES",
        items: &[
            Example("A filter:", "echo hello | husk run -i IMAGE tr a-z A-Z"),
            Example("A shell:", "husk run -it IMAGE sh"),
            Example(
                "With limits:",
                "husk run --memory 512m --cpus 2 --pids-limit 100 IMAGE make",
            ),
            Example(
                "As little as the command needs:",
                "husk run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges -u 1000:1000 IMAGE",
            ),
            Example(
                "In the background, with where the time of its start went:",
                "husk run -d --timeline --name web IMAGE",
            ),
        ],
    },
    FILES,
    ENVIRONMENT,
];

const EXEC: [Section; 3] = [
    Section {
        title: "EXIT STATUS",
        items: &[
            Text("That of the command, or:"),
            Term("1", "No such container, or it does not run (any more)."),
            Term(
                "125",
                "Husk itself failed, or the command line is not understood. One line on standard error says why.",
            ),
            Term(
                "126",
                "The command cannot be started: it cannot be executed, its user is not known, its working directory cannot be entered.",
            ),
            Term("127", "There is no such command."),
            Term("128+n", "Signal n ended it."),
            Text("With -d: 0 when it was started."),
        ],
    },
    Section {
        title: "SIGNALS",
        items: &[Text(
            "As with husk-run(1) they are passed on. A second INT, or a second TERM, within ten seconds kills the process and ends husk exec with code 137; the container goes on.",
        )],
    },
    Section {
        title: "EXAMPLES",
        items: &[
            Example("A shell:", "husk exec -it web sh"),
            Example(
                "As another user, elsewhere:",
                "husk exec -u www-data -w /tmp web id",
            ),
            Example(
                "Something that goes on by itself:",
                "husk exec -d web touch /tmp/flag",
            ),
        ],
    },
];

const CHECK_EXIT: Section = Section {
    title: "EXIT STATUS",
    items: &[
        Term("0", "This host can run machines."),
        Term("1", "It cannot; each line that says FAIL has a fix."),
    ],
};

const HOST_EXIT: Section = Section {
    title: "EXIT STATUS",
    items: &[
        Term("0", "Done."),
        Term(
            "125",
            "It failed, or the command line is not understood. One line on standard error says why.",
        ),
    ],
};

const CONTAINERS_EXIT: Section = Section {
    title: "EXIT STATUS",
    items: &[
        Term("0", "Done."),
        Term(
            "1",
            "No such container, or it is not in a state for that. With several names: one could not be served, the others were.",
        ),
        Term(
            "125",
            "Husk itself failed, or the command line is not understood. One line on standard error says why.",
        ),
    ],
};
