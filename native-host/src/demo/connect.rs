//! How clients of the reader's own talk to the Housekey that is still up.

use super::display::Display;
use super::house::{House, TOKEN_LIFE};
use crate::token::client_config::{Bearer, Client, Connection};

/// Prints tokens, and a command or a file for each client.
pub(super) fn show(display: &Display, house: &House, people: &[String]) -> anyhow::Result<()> {
    let url = house.url();
    let hours = TOKEN_LIFE.as_secs() / 3600;
    let mut tokens = String::new();
    let mut names: Vec<String> = Vec::new();
    for person in people {
        let name = variable(person, &names);
        tokens.push_str(&format!("export {name}='{}'\n", house.token(person)?));
        names.push(name);
    }
    let Some((person, name)) = people.first().zip(names.first()) else { return Ok(()) };
    display
        .heading(&format!("Connect a client of yours (tokens are valid for {hours} hours, while this runs)"));
    display.copied(&tokens);
    display.prose(&format!(
        "The commands below take {person}'s token from the shell; another variable makes you somebody else."
    ));

    let connection = Connection { url: &url, bearer: Bearer::Variable(name) };
    display.heading("Claude Code");
    display.copied(&connection.claude_command());
    for (program, client, folder) in
        [("Cursor", Client::Cursor, ".cursor"), ("VS Code", Client::VsCode, ".vscode")]
    {
        let file = format!("{folder}/mcp.json");
        display.heading(&format!("{program} ({file})"));
        display
            .copied(&format!("mkdir -p {folder} && cat > {file} <<END\n{}\nEND", connection.shown(client)));
    }
    display.heading("MCP Inspector");
    display.copied(&connection.inspector_command());
    display.heading("curl");
    display.copied(&connection.shown(Client::Curl));
    Ok(())
}

/// A name for the shell that is not taken.
fn variable(person: &str, taken: &[String]) -> String {
    let letter =
        |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    let name: String = person.chars().map(letter).collect();
    // Capital letters alone could be a variable that matters, such as PATH.
    let name = format!("{}_TOKEN", name.trim_start_matches(|first: char| first.is_ascii_digit()));
    if taken.contains(&name) { format!("{name}_{}", taken.len()) } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_names_of_the_shell() {
        for (person, wanted) in
            [("alice", "ALICE_TOKEN"), ("a.b@c.d", "A_B_C_D_TOKEN"), ("7up", "UP_TOKEN"), ("é", "__TOKEN_1")]
        {
            assert_eq!(variable(person, &["__TOKEN".to_owned()]), wanted);
        }
    }
}
