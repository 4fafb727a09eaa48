//! The samples that need nothing around them: a file in `testing/cmd` is a test.

#[test]
fn every_sample_file_holds() {
    trycmd::TestCases::new()
        .env("CREDSTORE_DATA_DIR", "/nonexistent/credstore")
        .default_bin_name("credstore")
        .case("../../testing/cmd/*.trycmd");
}
