//! CS0xxx: wrong usage of the command line.

codes! {
    COMMAND_LINE = "CS0101", Usage, "the command line is not understood",
        "An option or command does not exist, is missing, or has a value of the wrong kind. The message names it and \
         the nearest that exists. `credstore help COMMAND` shows what a command takes; every help starts with an example.";
    VALUE_ON_COMMAND_LINE = "CS0102", Usage, "a secret is not accepted on the command line",
        "Arguments of a process are visible to other users and end up in the shell's history. A secret comes from the \
         hidden prompt, from standard input (`--stdin`, or by itself when that is not a terminal) or from a file (`--file`). \
         A value that was typed as an argument counts as known to others: choose another one.";
    INPUT_NEEDED = "CS0103", Usage, "input is needed and nobody can be asked",
        "Standard input is not a terminal, or `--no-input` forbids questions. Give the value by standard input or file, \
         and the answer to a question by the flag that the message names.";
    CONFIRMATION_NEEDED = "CS0104", Usage, "this needs a confirmation",
        "Deleting and replacing ask first. In a script `--yes` answers. A purge, and the deletion of a \
         vault, also need `--confirm NAME` with the name of the object.";
    QUERY = "CS0105", Usage, "the query is not JMESPath",
        "`--query` takes a JMESPath expression, as `az` does: `--query appId`, `--query \"[].name\"`. See jmespath.org.";
    FILE_UNREADABLE = "CS0106", Invalid, "a file cannot be read",
        "The file named in the message does not exist, is a folder, or may not be read by this user.";
    FILE_UNWRITABLE = "CS0107", Invalid, "a file cannot be written",
        "The folder may be missing or not writable, the disk may be full, or the path is a symbolic link: files that hold \
         a secret or a private key are never written through a link.";
    FILE_EXISTS = "CS0108", Conflict, "the file exists",
        "Nothing is overwritten unless you say so with `--yes`. Choose another name, or move the old file away.";
    VALUE_NOT_TEXT = "CS0109", Invalid, "the value is not UTF-8 text",
        "Key Vault keeps text. Encode bytes first, for example with base64, and say so in the content type.";
    NAME = "CS0110", Usage, "this is not a possible name",
        "A secret's name has 1 to 127 of 0-9, a-z, A-Z and -. A vault's name has 3 to 24 of them, starts with a letter, \
         ends with a letter or digit and has no two hyphens in a row. Names are checked before anything is sent.";
    DECLINED = "CS0111", Declined, "declined",
        "The answer to the question was no, or the command was cancelled with Ctrl+C. Nothing was changed after that.";
    CODE_UNKNOWN = "CS0112", NotFound, "there is no such code",
        "`credstore explain` knows the codes of credstore (CSnnnn), of the directory (AADSTSnnnn) and of Key Vault as far \
         as they have a meaning here.";
    TIME_UP = "CS0113", Unreachable, "the time was up",
        "`--timeout` limits the whole command. What was acknowledged before stays; the rest was not done.";
    COMMAND_NOT_STARTED = "CS0114", Unexpected, "the command was not started",
        "`credstore run` starts the command only when every identifier became a value. Exit code 126 means that the file \
         is not executable, 127 that it was not found, 125 that a credential was missing.";
    OUTPUT_CLOSED = "CS0115", Unreachable, "the output cannot be written",
        "Standard output was closed or its disk is full. The result is not complete.";
    NOTHING_AT_STDIN = "CS0116", Usage, "nothing came from standard input",
        "Standard input is not a terminal, so the value was expected there, and it was empty. Pipe the value in, or \
         use `--file`.";
}
