//! Why a store does not take a backup: looked at to the end, so that an operator who mends what is named does not meet the next
//! reason then.

use super::StoreError;

/// Reasons so far.
#[derive(Debug, Default)]
pub struct Reasons(Vec<String>);

impl Reasons {
    /// Notes what a look has found. A look that could not be had ends the whole.
    pub fn note(&mut self, look: Result<(), StoreError>) -> Result<(), StoreError> {
        match look {
            Err(StoreError::Unfit(why)) => self.0.push(why),
            Err(StoreError::Several(reasons)) => self.0.extend(reasons),
            look => return look,
        }
        Ok(())
    }

    /// All of them as one error; a success if there are none.
    pub fn into_result(mut self) -> Result<(), StoreError> {
        match (self.0.pop(), self.0.is_empty()) {
            (None, _) => Ok(()),
            (Some(only), true) => Err(StoreError::Unfit(only)),
            (Some(last), false) => {
                self.0.push(last);
                Err(StoreError::Several(self.0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfit(why: &str) -> Result<(), StoreError> {
        Err(StoreError::Unfit(why.to_owned()))
    }

    fn of(looks: impl IntoIterator<Item = Result<(), StoreError>>) -> Result<(), StoreError> {
        let mut reasons = Reasons::default();
        for look in looks {
            reasons.note(look)?;
        }
        reasons.into_result()
    }

    #[test]
    fn every_reason_is_told_and_a_look_that_failed_ends_it() {
        assert!(of([Ok(())]).is_ok());
        assert!(matches!(of([Ok(()), unfit("a")]), Err(StoreError::Unfit(why)) if why == "a"));
        let several = of([
            unfit("a"),
            Ok(()),
            Err(StoreError::Several(vec!["b".into(), "c".into()])),
        ]);
        assert_eq!(several.unwrap_err().to_string(), "a\nb\nc");
        assert!(matches!(
            of([unfit("a"), Err(StoreError::Cancelled)]),
            Err(StoreError::Cancelled)
        ));
    }
}
