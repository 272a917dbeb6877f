//! Text for people, in lines of a width that fits.

/// Characters of a line.
pub(super) const WIDTH: usize = 100;

/// Text in lines of at most [`WIDTH`] characters, where its words allow; `first` stands before the first of
/// them, and as much room before the others. Ends with a line break.
pub(super) fn wrapped(first: &str, text: &str) -> String {
    let indent = first.chars().count();
    let (mut page, mut line, mut used) = (String::new(), first.to_owned(), indent);
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > indent && used + 1 + length > WIDTH {
            page += line.trim_end();
            page.push('\n');
            line = " ".repeat(indent);
            used = indent;
        }
        if used > indent {
            line.push(' ');
            used += 1;
        }
        line += word;
        used += length;
    }
    page += line.trim_end();
    page.push('\n');
    page
}

/// Rows under each other, each cell as wide as the widest of its column, the last one wrapped. Cells of
/// columns that `right` names stand to the right.
pub(super) fn table(header: &[&str], rows: &[Vec<String>], right: &[usize]) -> String {
    let columns = header.len();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |cells: &[String]| {
        let mut before = String::from("  ");
        for (column, cell) in cells.iter().enumerate().take(columns - 1) {
            let width = widths[column];
            before += &match right.contains(&column) {
                true => format!("{cell:>width$}  "),
                false => format!("{cell:width$}  "),
            };
        }
        let last = cells.last().map(String::as_str).unwrap_or_default();
        match right.contains(&(columns - 1)) {
            true => {
                format!("{before}{last:>width$}", width = widths[columns - 1]).trim_end().to_owned() + "\n"
            }
            false => wrapped(&before, last),
        }
    };
    let header: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    std::iter::once(&header).chain(rows).map(|row| line(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_than_the_page_but_for_a_word_that_is() {
        let page = wrapped("  - ", &"word ".repeat(60));
        assert!(page.lines().all(|line| line.chars().count() <= WIDTH), "{page}");
        assert!(page.lines().skip(1).all(|line| line.starts_with("    word")), "{page}");
        let long = "x".repeat(150);
        assert_eq!(wrapped("", &format!("a {long} b")), format!("a\n{long}\nb\n"));
        assert_eq!(wrapped("  ", ""), "\n");
    }
}
