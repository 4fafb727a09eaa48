//! CS5xxx: the broker.

codes! {
    BROKER_AWAY = "CS5001", Unreachable, "no broker answers on the socket",
        "`--socket` or CREDSTORE_SOCKET name a broker, so nothing else is asked in its place. It is not running, it is at \
         another path, or the folder of the socket may not be entered. `credstore broker status` tells; `--no-broker` goes to \
         the credential store itself.";
    BROKER_RUNNING = "CS5002", Conflict, "another broker holds the socket",
        "One broker at a time answers on a socket. Stop the other one with `credstore broker stop`, or give this one a path of \
         its own with `--socket`.";
    SOCKET_UNUSABLE = "CS5003", Permission, "the broker's socket cannot be used",
        "The folder of the socket must belong to the broker's user or root, and nobody else may write to it. At the path may be \
         nothing, or a socket that an earlier broker left; a link, a file or a folder is not touched. A consumer uses a \
         socket only when it belongs to its own user, to root, or was named.";
    NOT_ALLOWED = "CS5004", Permission, "the broker's rights do not allow this identifier",
        "The broker tells consumers apart by what the kernel says of them: user, groups, executable. No rule of its rights \
         gives this one the identifier. The store was not asked, and the answer is the same whether the identifier exists. \
         Without a file of rights only the user that the broker runs as, and root, may read.";
    RIGHTS_INVALID = "CS5005", Invalid, "the rights of the broker cannot be used",
        "The file is JSON: {\"rules\": [{\"user\": \"app\", \"identifiers\": [\"Smtp*\"]}]}. A rule names a user or a group, \
         perhaps an executable, and the identifiers. Users and groups are names of /etc/passwd and /etc/group, or numbers. \
         Only the broker's user or root may be able to change the file.";
    NOT_AUDITED = "CS5006", Unreachable, "the audit line of this read cannot be written",
        "Every read leaves a line that says who read what. When it cannot be written, the read is refused. The disk may be full; \
         the log of the broker has the words of the operating system.";
    BROKER_REQUEST = "CS5007", Usage, "the request is not what the broker takes",
        "The API is in docs/broker.md: a path below /v1, `Host: localhost`, JSON without unknown members, within the limits. \
         A request that somebody forwarded is refused.";
    BROKER_ANSWER = "CS5008", Unreachable, "the broker's answer is not understood",
        "Something answered on the socket in a way that this version does not know. Is it a broker, and of this version?";
    OWNER_ONLY = "CS5009", Permission, "this is for the broker's own user",
        "What is kept, reload and stop are for the user that the broker runs as, and for root. Rights to read an identifier do \
         not give them.";
    BROKER_STALE = "CS5010", NotUsable, "the broker's value is stale",
        "The broker could not refresh the value within its time, and gave the one it has: it may have been changed since. The \
         message says how old it is, and the code of what keeps it from being refreshed. After 8 hours it is refused.";
    BROKER_CANNOT = "CS5011", Usage, "a broker cannot do this",
        "A broker gives current values to those who may read them, and nothing else: no older versions, no empty values, no \
         lists. Ask the credential store itself with `--no-broker`, on a machine that has Server Settings and the certificate.";
}
