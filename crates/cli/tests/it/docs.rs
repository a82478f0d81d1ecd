//! The guide says what the code does.

use marquee_cli::Exit;

const GUIDE: &str = include_str!("../../../../docs/guides/command-line.md");

#[test]
fn the_guide_has_every_exit_code_with_its_meaning() {
    for exit in Exit::ALL {
        let row = format!("| {} | {} |", exit.code(), exit.meaning());
        assert!(GUIDE.contains(&row), "docs/guides/command-line.md lacks: {row}");
    }
}

#[test]
fn the_commands_of_the_guide_are_understood() {
    let mut seen = 0;
    let blocks = GUIDE.split("```").skip(1).step_by(2).filter(|block| block.starts_with("sh\n"));
    for line in blocks.flat_map(str::lines).map(str::trim).filter(|line| line.contains("marquee ")) {
        let command =
            line.rsplit(" | ").find(|part| part.trim_start().starts_with("marquee ")).unwrap_or(line);
        let command = command.split(" > ").next().unwrap_or(command);
        let Some(words) = command.trim().strip_prefix("marquee ") else { continue };
        let words = split(words);
        let result = marquee_cli::Client::embedded()
            .unwrap()
            .command()
            .try_get_matches_from(std::iter::once("marquee".to_owned()).chain(words.clone()));
        if let Err(error) = result {
            assert!(!error.use_stderr(), "{line}: {error}");
        }
        seen += 1;
    }
    assert!(seen > 10, "only {seen} commands were found");
}

/// Words as a shell sees them, as far as the guide uses quotes.
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in text.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}
