//! The text format of Prometheus, as far as gauges and counters go. Histograms are read as the counters they consist of.

use std::collections::BTreeMap;

/// One number.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// Every number, by the name of its metric.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics(pub BTreeMap<String, Vec<Sample>>);

impl Metrics {
    /// Reads the text format. A line that cannot be understood is left out, so a text that is none has no metrics.
    pub fn parse(text: &str) -> Self {
        let mut all: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
        for line in text.lines() {
            let line = line.trim();
            if let Some((name, sample)) = (!line.starts_with('#')).then(|| sample(line)).flatten() {
                all.entry(name).or_default().push(sample);
            }
        }
        Self(all)
    }

    /// Returns the value of a metric that has one number.
    pub fn one(&self, name: &str) -> Option<f64> {
        match self.0.get(name)?.as_slice() {
            [sample] => Some(sample.value),
            _ => None,
        }
    }

    /// Returns the value of such a metric as a whole number.
    pub fn count(&self, name: &str) -> Option<u64> {
        let value = self.one(name)?;
        // Beyond 2^53 a whole number is not exact in a float; no index of a log gets there.
        let whole = value.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&value);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in range")]
        whole.then_some(value as u64)
    }

    /// Returns whether such a metric is 1 and not 0.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.count(name).map(|value| value > 0)
    }

    /// Returns a label of a metric that has one number.
    pub fn label(&self, name: &str, label: &str) -> Option<&str> {
        match self.0.get(name)?.as_slice() {
            [sample] => sample.labels.get(label).map(String::as_str),
            _ => None,
        }
    }
}

/// `name{label="value",…} 1.5e+09 TIMESTAMP`
fn sample(line: &str) -> Option<(String, Sample)> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = read_labels(inner, &mut labels)?;
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    (!name.is_empty() && rest.starts_with([' ', '\t'])).then(|| (name.to_owned(), Sample { labels, value }))
}

/// Reads labels up to the closing brace and returns what is behind it.
fn read_labels<'a>(mut rest: &'a str, labels: &mut BTreeMap<String, String>) -> Option<&'a str> {
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(behind) = rest.strip_prefix('}') {
            return Some(behind);
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        rest = loop {
            match characters.next()? {
                (at, '"') => break &quoted[at + 1..],
                (_, '\\') => match characters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        labels.insert(name.trim().to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_have_names_and_labels() {
        let text = "# HELP etcd_server_id Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.\n\
                    # TYPE etcd_server_id gauge\n\
                    etcd_server_id{server_id=\"2e1259d415f2a040\"} 1\n\
                    etcd_server_has_leader 1\n\
                    etcd_server_quota_backend_bytes 2.147483648e+09\n\
                    etcd_x{a=\"q\\\"\\\\\\n}\",b=\"\"} 3 1700000000\n\
                    up NaN\n";
        let metrics = Metrics::parse(text);
        assert_eq!(metrics.label("etcd_server_id", "server_id"), Some("2e1259d415f2a040"));
        assert_eq!(metrics.flag("etcd_server_has_leader"), Some(true));
        assert_eq!(metrics.count("etcd_server_quota_backend_bytes"), Some(2_147_483_648));
        assert_eq!(metrics.label("etcd_x", "a"), Some("q\"\\\n}"));
        assert_eq!(metrics.count("etcd_x"), Some(3));
        assert!(metrics.one("up").unwrap().is_nan() && metrics.count("up").is_none());
        assert_eq!(metrics.one("absent"), None);
    }

    #[test]
    fn what_is_no_metric_is_left_out() {
        for text in
            ["<html><body>404</body></html>", "{\"a\":1}", "name", "name{a=\"b\" 1", "name{a=\"b", "{} 1", "a b c"]
        {
            assert_eq!(Metrics::parse(text), Metrics::default(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(\\PC|\n|[a-z]{1,3}[{}=\"\\\\, 1]{0,6}){0,20}") {
            Metrics::parse(&text);
        }

        #[test]
        fn labels_come_back(name in "[a-z_]{1,8}", value in "\\PC{0,8}", number in any::<u32>()) {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let metrics = Metrics::parse(&format!("m{{{name}=\"{quoted}\"}} {number}"));
            prop_assert_eq!(metrics.label("m", &name), Some(value.as_str()));
            prop_assert_eq!(metrics.count("m"), Some(u64::from(number)));
        }
    }
}
