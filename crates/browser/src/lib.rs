//! The pages as their operator sees them: in a real Chromium without a window. What is clicked and typed into is found by the words
//! that stand there, what is waited for is a condition, and a page that is looked at must be without faults that a program can see.

mod driver;
mod looked_at;

use std::future::Future;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::error::{WebDriverErrorInner, WebDriverResult};
use thirtyfour::{By, WebDriver, WebElement};
use tokio::runtime::{Builder, Runtime};

use self::driver::Process;
use stillpoint_testkit::patience;

/// Whether pages may run scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripts {
    /// As everybody has it.
    On,
    /// Blocked by the browser's own setting.
    Off,
}

/// A browser that is at one site. Dropped, it is ended.
pub struct Browser {
    site: String,
    // Fields are dropped in this order: the process before the folder that its browser writes into.
    driver: WebDriver,
    runtime: Runtime,
    _process: Process,
    _profile: TempDir,
}

impl Browser {
    /// Starts one that has seen nothing yet, for the site at this address, without a slash at its end.
    pub fn start(site: &str, scripts: Scripts) -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let (process, port) = Process::start()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let driver = runtime.block_on(driver::session(port, profile.path(), scripts == Scripts::On))?;
        Ok(Self {
            site: site.to_owned(),
            driver,
            runtime,
            _process: process,
            _profile: profile,
        })
    }

    /// Ends it in order.
    pub fn end(self) -> Result<()> {
        let driver = self.driver.clone();
        self.wait(driver.quit())
    }

    fn wait<T, E: Into<anyhow::Error>>(&self, act: impl Future<Output = Result<T, E>>) -> Result<T> {
        self.runtime.block_on(act).map_err(Into::into)
    }

    /// Goes to a page, by its path or its whole address.
    pub fn go(&self, place: &str) -> Result<()> {
        let address = if place.starts_with('/') {
            format!("{}{place}", self.site)
        } else {
            place.to_owned()
        };
        self.wait(self.driver.goto(&address))
            .with_context(|| format!("cannot go to {address}"))
    }

    /// The path of the page, with what follows it.
    pub fn place(&self) -> Result<String> {
        let address = self.wait(self.driver.current_url())?.to_string();
        Ok(address.strip_prefix(&self.site).unwrap_or(&address).to_owned())
    }

    /// The page's title.
    pub fn title(&self) -> Result<String> {
        self.wait(self.driver.title())
    }

    /// What can be read on the page.
    pub fn text(&self) -> Result<String> {
        let body = self.wait(self.driver.find(By::Tag("body")))?;
        self.wait(body.text())
    }

    /// Waits until the page says this.
    pub fn sees(&self, words: &str) -> Result<()> {
        self.until(&format!("the page says `{words}`"), || Ok(self.text()?.contains(words)))
    }

    /// The same of a page that nothing changes but its server: it is asked for again and again.
    pub fn sees_in_time(&self, words: &str) -> Result<()> {
        self.until(&format!("the page says `{words}` in time"), || {
            if self.text()?.contains(words) {
                return Ok(true);
            }
            self.wait(self.driver.refresh())?;
            Ok(false)
        })
    }

    /// Waits until it holds; what the page says, if it does not. A page that gives way to the next meanwhile is asked again.
    pub fn until(&self, what: &str, there: impl Fn() -> Result<bool>) -> Result<()> {
        let waited = patience::until(what, || Ok(there().unwrap_or(false)));
        let Err(error) = waited else { return Ok(()) };
        let at = self.place().unwrap_or_default();
        let said = self.text().unwrap_or_else(|error| format!("{error:#}"));
        Err(error.context(format!("at {at}, which says:\n{said}")))
    }

    /// Presses the button with these words.
    pub fn press(&self, words: &str) -> Result<()> {
        let words = literal(words)?;
        self.click(&format!("//button[contains(normalize-space(.), {words})]"))
    }

    /// Follows the link with these words.
    pub fn follow(&self, words: &str) -> Result<()> {
        let words = literal(words)?;
        self.click(&format!("//a[contains(normalize-space(.), {words})]"))
    }

    /// Types into the field of this name, in the place of what is there.
    pub fn fill(&self, name: &str, text: &str) -> Result<()> {
        let path = format!("//*[@name={}][not(@type='hidden')]", literal(name)?);
        self.on_shown(&path, &async |field: &WebElement| {
            field.clear().await?;
            field.send_keys(text).await
        })
    }

    /// Clicks the first that an `XPath` finds and that is shown.
    pub fn click(&self, path: &str) -> Result<()> {
        self.on_shown(path, &async |one: &WebElement| one.click().await)
    }

    /// Does something to the first that is shown. A live page may put another into its place meanwhile: then to that.
    fn on_shown(&self, path: &str, act: &impl AsyncFn(&WebElement) -> WebDriverResult<()>) -> Result<()> {
        let acted = || {
            let one = self.shown(path)?;
            match self.runtime.block_on(act(&one)) {
                Err(error) if matches!(error.as_inner(), WebDriverErrorInner::StaleElementReference(_)) => Ok(false),
                acted => Ok(acted.map(|()| true)?),
            }
        };
        patience::until(&format!("{path} stays where it is"), acted).with_context(|| format!("cannot act on {path}"))
    }

    /// Whether there is something that is shown.
    pub fn has(&self, path: &str) -> Result<bool> {
        Ok(self.found(path)?.is_some())
    }

    fn found(&self, path: &str) -> Result<Option<WebElement>> {
        for one in self.wait(self.driver.find_all(By::XPath(path)))? {
            // What is gone again is not shown.
            if self.wait(one.is_displayed()).unwrap_or(false) {
                return Ok(Some(one));
            }
        }
        Ok(None)
    }

    fn shown(&self, path: &str) -> Result<WebElement> {
        let there = || self.has(path);
        self.until(&format!("{path} is there"), there)?;
        self.found(path)?.with_context(|| format!("{path} is gone again"))
    }

    /// What a script of ours gives back. It runs also where those of the page may not.
    fn evaluated(&self, script: &str) -> Result<Value> {
        let told = self.command(
            "Runtime.evaluate",
            &json!({"expression": script, "awaitPromise": true, "returnByValue": true}),
        )?;
        if let Some(exception) = told.get("exceptionDetails") {
            bail!("the script fails: {exception}");
        }
        Ok(told["result"]["value"].clone())
    }

    /// A command of Chromium's own protocol.
    fn command(&self, name: &str, parameters: &Value) -> Result<Value> {
        let told = self.wait(self.driver.cdp().send_raw(name, parameters));
        told.with_context(|| format!("{name} fails"))
    }
}

impl Drop for Browser {
    /// A browser outlives the process of its driver, if nobody tells it to end. One that has ended says so.
    fn drop(&mut self) {
        let driver = self.driver.clone();
        let _ = self.wait(driver.quit());
        // Nothing more is asked of it.
        let _ = self.driver.clone().leak();
    }
}

/// A text as `XPath` has it, which knows no escapes.
fn literal(text: &str) -> Result<String> {
    match (text.contains('\''), text.contains('"')) {
        (false, _) => Ok(format!("'{text}'")),
        (true, false) => Ok(format!("\"{text}\"")),
        _ => bail!("XPath cannot say {text}"),
    }
}
