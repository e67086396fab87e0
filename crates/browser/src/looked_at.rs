//! A page as it is looked at: wide and narrow, light and dark, each kept as a picture; and what a program can say against it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Browser;
use stillpoint_testkit::testbed::{browser_tools, screens};

/// Of a desk and of a telephone.
const WIDTHS: [u32; 2] = [1280, 390];

const THEMES: [&str; 2] = ["light", "dark"];

/// Rules that harm somebody, as axe-core weighs them.
const GRAVE: [&str; 2] = ["serious", "critical"];

/// The first element that reaches beyond the window by itself, and in nothing that can be moved.
const STICKS_OUT: &str = "[...document.body.querySelectorAll('*')].filter(one => one.getBoundingClientRect().right > WIDTH \
    && !one.closest('[tabindex], nav ul') && ![...one.children].some(child => child.getBoundingClientRect().right > WIDTH)) \
    .map(one => one.outerHTML.slice(0, 200))[0] ?? 'something that is not drawn'";

impl Browser {
    /// Looks at the page as it is now, in every form, and keeps a picture of each under this name. Fails if anything in it is
    /// out of reach for somebody, wider than the window, or if the console has an error.
    pub fn look(&self, name: &str) -> Result<()> {
        let folder = screens();
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut against = Vec::new();
        for width in WIDTHS {
            for theme in THEMES {
                let picture = folder.join(format!("{name}-{width}-{theme}.png"));
                if let Err(error) = self.looked_at(width, theme, &picture) {
                    against.push(format!("{name}, {width} px, {theme}: {error:#}"));
                }
            }
        }
        self.as_it_was()?;
        if let Err(error) = self.console_is_silent() {
            against.push(format!("{name}: {error:#}"));
        }
        ensure!(against.is_empty(), "at {}:\n{}", self.place()?, against.join("\n"));
        Ok(())
    }

    fn looked_at(&self, width: u32, theme: &str, picture: &Path) -> Result<()> {
        let window = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.command("Emulation.setDeviceMetricsOverride", &window)?;
        let feature = json!({"features": [{"name": "prefers-color-scheme", "value": theme}]});
        self.command("Emulation.setEmulatedMedia", &feature)?;
        let shot = self.command("Page.captureScreenshot", &json!({"captureBeyondViewport": true}))?;
        let bytes = STANDARD.decode(shot["data"].as_str().context("no picture")?)?;
        fs::write(picture, bytes).with_context(|| format!("cannot write {}", picture.display()))?;
        let wide = self.evaluated("document.documentElement.scrollWidth")?;
        ensure!(
            wide.as_u64() <= Some(width.into()),
            "it is {wide} px wide and can be moved sideways, because of {}",
            self.evaluated(&STICKS_OUT.replace("WIDTH", &width.to_string()))?
        );
        // Contrast hangs on the theme, what overlaps and what is hidden on the width: each of both is looked at once.
        if (width == WIDTHS[0]) == (theme == THEMES[0]) {
            self.is_within_reach()?;
        }
        Ok(())
    }

    /// By the rules of axe-core.
    fn is_within_reach(&self) -> Result<()> {
        if self.evaluated("typeof axe")? != "object" {
            self.evaluated(&axe()?)?;
        }
        let found = self.evaluated(
            "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(rule => \
             ({impact: rule.impact, rule: rule.id, help: rule.help, nodes: rule.nodes.map(node => [node.html, node.failureSummary])})))",
        )?;
        let rules = found.as_array().context("axe-core tells nothing")?;
        let is_grave = |rule: &&Value| GRAVE.contains(&rule["impact"].as_str().unwrap_or("critical"));
        let grave: Vec<String> = rules.iter().filter(is_grave).map(told).collect();
        ensure!(grave.is_empty(), "out of somebody's reach: {}", grave.join("; "));
        Ok(())
    }

    fn as_it_was(&self) -> Result<()> {
        self.command("Emulation.clearDeviceMetricsOverride", &json!({}))?;
        self.command("Emulation.setEmulatedMedia", &json!({"features": []}))
            .map(drop)
    }

    /// Fails if anything was told there since it was last asked that somebody should mend.
    pub fn console_is_silent(&self) -> Result<()> {
        let told = self.wait(self.driver.browser_log())?;
        let faults: Vec<String> = told
            .into_iter()
            .filter(|one| one.level == "SEVERE" || one.level == "WARNING")
            .map(|one| format!("{}: {}", one.level, one.message))
            .collect();
        ensure!(faults.is_empty(), "the console says:\n{}", faults.join("\n"));
        Ok(())
    }

    /// Forgets what the console says, after a page that was refused on purpose.
    pub fn forget_console(&self) -> Result<()> {
        self.wait(self.driver.browser_log()).map(drop)
    }
}

/// A rule, and where it is broken for the first time.
fn told(rule: &Value) -> String {
    let places = rule["nodes"].as_array().map_or(&[][..], Vec::as_slice);
    let first = places.first().cloned().unwrap_or_default();
    format!(
        "{} ({}), in {} places, the first {}: {}",
        rule["rule"].as_str().unwrap_or_default(),
        rule["help"].as_str().unwrap_or_default(),
        places.len(),
        first[0].as_str().unwrap_or_default(),
        first[1].as_str().unwrap_or_default().replace('\n', " ")
    )
}

fn axe() -> Result<String> {
    let file: PathBuf = browser_tools().join("axe.min.js");
    fs::read_to_string(&file).with_context(|| format!("{} is not there: run testbed/setup.sh", file.display()))
}
