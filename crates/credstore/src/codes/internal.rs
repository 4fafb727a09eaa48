//! CS9xxx: bugs.

codes! {
    BUG = "CS9001", Unexpected, "something happened that should not",
        "This is a defect of credstore, not of your settings. Report it with the output of the same command and \
         --debug added; values are never in that output.";
}
