//! "Did you mean": the nearest of the words there are.

/// The candidate nearest to `word`, if one is near enough to be meant.
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let limit = (word.chars().count() / 3).max(1) + 1;
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&word, &c.to_ascii_lowercase()), c))
        .filter(|(distance, c)| *distance <= limit && *distance < c.chars().count())
        .min()
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_none() {
        let words = ["qty_max", "latency_ms", "slippage"];
        assert_eq!(suggest("qty_mx", words), Some("qty_max"));
        assert_eq!(suggest("latncy_ms", words), Some("latency_ms"));
        assert_eq!(suggest("zebra", words), None);
    }
}
