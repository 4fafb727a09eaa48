//! Prints every number in a data folder, one a line, in order, having opened and checked each value.

use std::io::Write;

use credstore_testing::numbers::{Failure, Numbers, folder_argument};

fn main() -> Result<(), Failure> {
    let folder = folder_argument(std::env::args().skip(1))?;
    let mut output = std::io::stdout().lock();
    // A writer that was killed before the vault was there has acknowledged nothing.
    let numbers = match Numbers::open(&folder, true) {
        Ok(numbers) => numbers.all()?,
        Err(error) if is_empty(&*error) => Vec::new(),
        Err(error) => return Err(error),
    };
    for number in numbers {
        writeln!(output, "{number}")?;
    }
    output.flush()?;
    Ok(())
}

fn is_empty(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let no_store = matches!(error.downcast_ref(), Some(credstore_vault::OpenError::Missing(_)));
    let no_vault = matches!(error.downcast_ref(), Some(credstore_vault::VaultError::VaultNotFound(_)));
    no_store || no_vault
}
