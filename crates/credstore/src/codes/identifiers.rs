//! CS2xxx: identifiers and connection strings.

codes! {
    NOT_A_SECRET_NAME = "CS2001", Invalid, "a Key Vault cannot hold this identifier",
        "In a vault the identifier is the secret's name: 1 to 127 letters A to Z, digits and hyphens. This is found \
         before anything is sent.";
    NOT_PORTABLE = "CS2002", Findings, "the identifier cannot be moved to a vault",
        "The file store takes any key. A Key Vault takes letters A to Z, digits and hyphens only, so this identifier \
         would have to change, and with it every place that uses it.";
    IDENTIFIER_INVALID = "CS2003", Invalid, "this is not an identifier",
        "An identifier is not empty, has no control characters and at most 1,024 bytes.";
    IDENTIFIER_UNKNOWN = "CS2004", NotFound, "there is no such identifier",
        "The credential store has no password under this name. Names are compared with their capitals in a file and \
         without them in a vault. A secret that was deleted is not found either; while it can be recovered, the \
         command line says CS4029 instead. Nothing else is used in its place. Upstream: 404 SecretNotFound.";
    PASSWORD_EMPTY = "CS2005", NotUsable, "the password is empty",
        "The identifier exists and its value is the empty text. That is nearly always a mistake, so it is refused.";
    PASSWORD_ENDS_WITH_NEWLINE = "CS2006", NotUsable, "the password ends with a newline",
        "It is used as it is, newline included. Most often the newline came along when the value was pasted or piped \
         and is not part of the password. Store the value again without it.";
    IDENTIFIER_WITH_VERSION = "CS2007", Invalid, "an identifier has no version",
        "The identifier is the bare name; the current version is used. A form such as name/version is refused.";
    PASSWORD_WITH_NUL = "CS2008", NotUsable, "the password holds a NUL character",
        "A connection string ends at a NUL character for most drivers: the password would be cut off there.";

    KEYWORD_TWICE = "CS2011", Invalid, "a keyword is given twice",
        "The same keyword stands there in plain text and as a reference. It is unclear which one counts, and the plain \
         one is visible to everybody who sees the connection string. Remove it, and change that password.";
    REFERENCE_TWICE = "CS2012", Invalid, "a reference is given twice",
        "The same mv-credential- keyword occurs more than once. Keywords are compared without regard to capitals.";
    PREFIX_MISSPELT = "CS2013", Invalid, "the prefix is misspelt",
        "A reference is written mv-credential-Keyword=Identifier, with two hyphens. With another spelling the driver \
         would get the identifier instead of the password.";
    TYPOGRAPHIC_QUOTE = "CS2014", Invalid, "a typographic quote stands in the connection string",
        "Word processors and web pages turn straight quotes into curly ones. A quote around the whole string is the \
         straight one, or none.";
    BRACE_NOT_CLOSED = "CS2015", Invalid, "a brace is not closed",
        "A value that begins with { ends at the next single }. A } that is part of the value is written twice.";
    TEXT_AFTER_BRACE = "CS2016", Invalid, "text follows after a closing brace",
        "After the closing brace of a value comes a semicolon or the end. A } that is part of the value is written \
         twice.";
    EQUALS_MISSING = "CS2017", Invalid, "an equals sign is missing",
        "A connection string consists of pairs keyword=value, separated by semicolons. A value that holds a semicolon \
         stands in braces.";
    KEYWORD_EMPTY = "CS2018", Invalid, "a keyword is missing",
        "Nothing stands before the equals sign of a pair. Write the keyword that the driver expects, or remove the pair.";
    IDENTIFIER_EMPTY = "CS2019", Invalid, "an identifier is missing",
        "Nothing stands after the equals sign of a reference. Write the identifier that the administrator gave.";
    PREFIX_WITHOUT_KEYWORD = "CS2020", Invalid, "the keyword after mv-credential- is missing",
        "The keyword that the driver expects follows the prefix: mv-credential-Pass, mv-credential-PWD.";
    QUOTE_OUT_OF_PLACE = "CS2021", Invalid, "a quote is out of place",
        "A connection string may stand in single quotes as a whole: then both ends have one. Keywords hold no quotes.";
    CONNECTION_STRING_TOO_LONG = "CS2022", Invalid, "the connection string is too long",
        "More than 256 KiB are refused; an ODBC driver takes at most 32,767 characters.";
    PLAIN_TEXT_KEYWORD = "CS2023", Findings, "a password stands in plain text in a connection string",
        "Everybody who sees the connection string can read it. Put the password into the credential store and write \
         mv-credential-Keyword=Identifier instead. Then change it: it was visible.";
    NUL_CHARACTER = "CS2024", Invalid, "the connection string holds a NUL character",
        "A NUL character ends the connection string for most drivers: the rest would be cut off.";
}
