//! One case of the matrix, as a line of words: `backup 17 die-before reboot recover 5` says that a
//! backup died instead of making its 17th call, its host rebooted, a recovery died instead of making
//! its 5th call, and another one followed.

use std::fmt;
use std::str::FromStr;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $name {
            $($variant,)*
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)*
                })
            }
        }

        impl FromStr for $name {
            type Err = anyhow::Error;

            fn from_str(word: &str) -> anyhow::Result<Self> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    other => anyhow::bail!("`{other}` is none of {:?}", [$($word),*]),
                }
            }
        }
    };
}

words! {
    /// What is run, and on what.
    Scene {
        Backup = "backup",
        // Of stores of which none needs the clients down until it is drained.
        Pinned = "pinned",
        // The same, but the clients stay down until the last byte was read.
        Hold = "hold",
        Restore = "restore",
        // After a backup that died while it drained.
        Heal = "heal",
        Recover = "recover",
        Start = "start",
        // The same, and its claim was removed.
        HealByJournal = "heal-by-journal",
        RecoverByJournal = "recover-by-journal",
        // After a restore that failed while it loaded.
        Takeover = "takeover",
        StartAnyway = "start-anyway",
        UndoHalf = "undo-half",
        Resume = "resume",
        // After a restore that succeeded.
        Undo = "undo",
        Discard = "discard",
    }
}

words! {
    /// What becomes of the call.
    Fault {
        Error = "error",
        LostAnswer = "lost-answer",
        Hang = "hang",
        Interrupt = "interrupt",
        // Somebody removes the claim before it.
        Prune = "prune",
        // The same, and the process dies half-way from there to its end.
        PruneThenDie = "prune-then-die",
        DieBefore = "die-before",
        DieAfter = "die-after",
    }
}

words! {
    /// What happens between the run's end, on purpose or not, and the next one's begin.
    Twist {
        Nothing = "nothing",
        Reboot = "reboot",
        LedgerLost = "ledger-lost",
        ClaimLost = "claim-lost",
        // Somebody has started `web` and stopped it again: nobody else may start it now.
        Touched = "touched",
        // What is left is what the disk holds of the journal.
        ClaimLostInReboot = "claim-lost-in-reboot",
    }
}

words! {
    /// What is run next.
    Next {
        Backup = "backup",
        Recover = "recover",
        Start = "start",
        Restore = "restore",
        Resume = "resume",
        Undo = "undo",
    }
}

/// A case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trial {
    pub(super) scene: Scene,
    /// The number of the call, from 1.
    pub(super) n: usize,
    pub(super) fault: Fault,
    pub(super) twist: Twist,
    pub(super) next: Next,
    /// The next run dies as well, instead of making this call.
    pub(super) again: Option<usize>,
}

impl Fault {
    pub(super) fn is_death(self) -> bool {
        matches!(self, Self::DieBefore | Self::DieAfter | Self::PruneThenDie)
    }
}

impl Twist {
    pub(super) fn reboots(self) -> bool {
        matches!(self, Self::Reboot | Self::ClaimLostInReboot)
    }

    pub(super) fn loses_the_claim(self) -> bool {
        matches!(self, Self::ClaimLost | Self::ClaimLostInReboot)
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scene,
            n,
            fault,
            twist,
            next,
            again,
        } = self;
        write!(f, "{scene} {n} {fault} {twist} {next}")?;
        again.map_or(Ok(()), |m| write!(f, " {m}"))
    }
}

impl FromStr for Trial {
    type Err = anyhow::Error;

    /// What is not said after the fault is what the simplest case has.
    fn from_str(line: &str) -> anyhow::Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [scene, n, fault, rest @ ..] = words.as_slice() else {
            anyhow::bail!("`{line}` is no case: SCENE CALL FAULT [TWIST [NEXT [CALL]]]");
        };
        let scene: Scene = scene.parse()?;
        Ok(Self {
            scene,
            n: n.parse()?,
            fault: fault.parse()?,
            twist: rest.first().map_or(Ok(Twist::Nothing), |word| word.parse())?,
            next: rest.get(1).map_or(Ok(scene.next()), |word| word.parse())?,
            again: rest.get(2).map(|word| word.parse()).transpose()?,
        })
    }
}

impl Scene {
    /// What an operator would run next.
    pub(super) fn next(self) -> Next {
        match self {
            Self::Restore | Self::Takeover | Self::StartAnyway => Next::Restore,
            Self::Undo | Self::UndoHalf => Next::Undo,
            Self::Resume => Next::Resume,
            _ => Next::Backup,
        }
    }

    /// It is a backup of a platform of which all is well.
    pub(super) fn backs_up(self) -> bool {
        matches!(self, Self::Backup | Self::Pinned | Self::Hold)
    }

    /// It changes data, or brings a platform back whose data was being changed.
    pub(super) fn restores(self) -> bool {
        matches!(
            self,
            Self::Restore
                | Self::Takeover
                | Self::StartAnyway
                | Self::UndoHalf
                | Self::Resume
                | Self::Undo
                | Self::Discard
        )
    }

    /// Data may be half replaced before it begins.
    pub(super) fn begins_half(self) -> bool {
        matches!(self, Self::Takeover | Self::UndoHalf | Self::Resume)
    }
}

#[test]
fn a_case_is_what_its_line_says() -> anyhow::Result<()> {
    let line = "backup 17 die-before reboot recover 5";
    let trial: Trial = line.parse()?;
    assert_eq!(trial.to_string(), line);
    assert_eq!(
        "restore 3 error".parse::<Trial>()?.to_string(),
        "restore 3 error nothing restore"
    );
    assert!("backup 3 flood".parse::<Trial>().is_err());
    Ok(())
}
