//! Whether a table was repacked, and if not, why: `pg_repack` ends with 0 also where it did nothing.

use crate::Failed;

/// What a shell says of a program that is not there.
const NO_PROGRAM: [i64; 2] = [126, 127];

/// Fails if it was not repacked. `moved`: the table has another file than before.
pub(super) fn judge(code: i64, errors: &str, moved: bool) -> Result<(), Failed> {
    if NO_PROGRAM.contains(&code) {
        let why = "there is no program pg_repack in the container: the image needs it beside the extension";
        return Err(Failed::Unfit(why.to_owned()));
    }
    if code == 0 && moved {
        return Ok(());
    }
    let said = reasons(errors);
    let why = match (code, said.is_empty()) {
        (0, true) => "pg_repack says that all is well, and the table is as it was".to_owned(),
        (0, false) => format!("pg_repack did nothing: {said}"),
        (code, true) => format!("pg_repack ended with exit code {code}"),
        (code, false) => format!("pg_repack ended with exit code {code}: {said}"),
    };
    Err(Failed::Unfit(why))
}

/// The lines that say why, each once.
fn reasons(errors: &str) -> String {
    let mut reasons: Vec<&str> = Vec::new();
    for line in errors.lines().map(str::trim) {
        let tells = ["ERROR:", "WARNING:", "FATAL:", "PANIC:", "DETAIL:", "HINT:"];
        let skips = line.contains("Skipping repack");
        if (skips || tells.iter().any(|word| line.contains(word))) && !reasons.contains(&line) {
            reasons.push(line);
        }
    }
    reasons.truncate(6);
    reasons.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(code: i64, errors: &str, moved: bool) -> Option<String> {
        judge(code, errors, moved).err().map(|failed| failed.to_string())
    }

    #[test]
    fn only_a_table_that_has_another_file_is_repacked() {
        let fine = "INFO: repacking table \"public.event_logs\"\n";
        assert_eq!(why(0, fine, true), None);
        assert!(why(0, fine, false).unwrap().contains("the table is as it was"));
    }

    #[test]
    fn an_exit_code_of_0_with_a_warning_is_told_with_it() {
        let timeout = "WARNING: timed out, do not cancel conflicting backends\nINFO: Skipping repack public.runs due to timeout\n";
        let told = why(0, timeout, false).unwrap();
        assert!(
            told.contains("timed out, do not cancel") && told.contains("Skipping repack"),
            "{told}"
        );
        let key = "WARNING: relation \"public.nopk\" must have a primary key or not-null unique keys\n".repeat(3);
        assert_eq!(why(0, &key, false).unwrap().matches("primary key").count(), 1);
    }

    #[test]
    fn a_failure_is_told_with_its_code_and_a_missing_program_as_such() {
        let error = "ERROR: pg_repack failed with error: pg_repack 1.4.8 is not installed in the database";
        assert!(
            why(21, error, false)
                .unwrap()
                .contains("exit code 21: ERROR: pg_repack failed")
        );
        assert!(why(127, "", false).unwrap().contains("no program pg_repack"));
        // What was swapped before it failed is still a failure that somebody has to look at.
        assert!(why(1, "", true).is_some());
    }
}
