//! Which known word was probably meant: for "did you mean". A guess is only ever shown, never used.

/// The one of `known` that is nearest to `written`, if it is near enough to be worth showing: equal without regard to
/// capitals, or at most one typing mistake for every four characters (and three in all) away.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let allowed = (written.chars().count() / 4).clamp(1, 3);
    known
        .into_iter()
        .filter(|word| word.len().abs_diff(written.len()) <= MAX_COMPARED)
        .map(|word| (distance(&lower, &word.to_lowercase(), allowed), word))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by(|one, other| one.cmp(other))
        .map(|(_, word)| word)
}

/// Words whose lengths in bytes differ by more are never near: three characters of at most four bytes.
const MAX_COMPARED: usize = 12;

/// Typing mistakes between two words: insertion, deletion, replacement, and swapping two neighbours, each 1.
/// Gives `allowed + 1` as soon as it is certain that there are more than `allowed`.
///
/// Source: optimal string alignment, the restricted Damerau-Levenshtein distance.
fn distance(one: &str, other: &str, allowed: usize) -> usize {
    let one: Vec<char> = one.chars().collect();
    let other: Vec<char> = other.chars().collect();
    if one.len().abs_diff(other.len()) > allowed {
        return allowed + 1;
    }
    let mut before_last = vec![0; other.len() + 1];
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let mut row = vec![0; other.len() + 1];
    for i in 1..=one.len() {
        row[0] = i;
        for j in 1..=other.len() {
            let replaced = last[j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row[j] = best;
        }
        if row.iter().min().is_some_and(|least| *least > allowed + 1) {
            return allowed + 1;
        }
        std::mem::swap(&mut before_last, &mut last);
        std::mem::swap(&mut last, &mut row);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_typing_mistake_in_four_characters_is_near() {
        assert_eq!(nearest("SapHanaExtrct", ["SmtpRelay", "SapHanaExtract"]), Some("SapHanaExtract"));
        assert_eq!(nearest("AzureKeyvault", ["File", "AzureKeyVault"]), Some("AzureKeyVault"));
        assert_eq!(nearest("Flie", ["File", "AzureKeyVault"]), Some("File"));
        assert_eq!(nearest("CyberArk", ["File", "AzureKeyVault"]), None);
        assert_eq!(nearest("", ["File"]), None);
    }

    #[test]
    fn the_nearest_wins_and_then_the_first_in_order() {
        assert_eq!(nearest("PasswordA", ["PasswordBB", "PasswordB"]), Some("PasswordB"));
        assert_eq!(nearest("PasswordX", ["PasswordB", "PasswordA"]), Some("PasswordA"));
    }

    proptest! {
        #[test]
        fn the_distance_is_symmetric_and_zero_only_for_equal_words(one in "[abc]{0,6}", other in "[abc]{0,6}") {
            prop_assert_eq!(distance(&one, &other, 10), distance(&other, &one, 10));
            prop_assert_eq!(distance(&one, &other, 10) == 0, one == other);
        }
    }
}
