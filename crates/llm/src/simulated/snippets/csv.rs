/// The fields of each line; quoted fields may hold commas and doubled quotes.
pub fn parse_csv(text: &str) -> Vec<Vec<String>> {
    text.lines().map(fields).collect()
}

fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match (c, quoted) {
            ('"', true) if characters.next_if_eq(&'"').is_some() => fields.last_mut().unwrap().push('"'),
            ('"', _) => quoted = !quoted,
            (',', false) => fields.push(String::new()),
            (c, _) => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}
// ----
/// The fields of each line, by the quotes that are open in front of each comma.
pub fn parse_csv(text: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for line in text.lines() {
        let mut quoted = false;
        let row = line.split(|c: char| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        rows.push(row.map(|field| field.trim_matches('"').replace("\"\"", "\"")).collect());
    }
    rows
}
// ----
/// The fields of each line.
pub fn parse_csv(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split(',').collect()).collect()
}
