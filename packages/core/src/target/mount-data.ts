const LONGEST = 200; // characters: overlayfs takes lists of hundreds of folders

// An option whose name looks like that of a secret, such as `password=` of cifs, `secret=` of ceph and `key=` of ecryptfs, up to
// the next comma. In a password of cifs two commas stand for one, and other file systems escape it. A match begins where a name
// begins, and looks for the first such word alone. Otherwise a long name without an end would take the cube of its length.
const secret =
	/(?<![\w.-])(?=[\w.-]*?(?:pass|pwd|pword|pw\b|psk|pin\b|secret|key|token|cred|auth))([\w.-]+=)(?:"[^"]*"|,,|\\.|[^,])*/gi;
// The password in `user=name%password`, which cifs takes too, and in `//name:password@host`. A user without a password is a match
// too, so that each character is looked at once.
const secretOfUser = /(\buser(?:name)?=[^,%]*)(%(?:,,|[^,])*)?/gi;
const secretOfUrl = /(\/\/[^/@,\s:]*:)[^/@,\s]*(?=@)/g;

/** Returns the options of a file system as a message shows them: without what looks like a secret, and not too long. */
export function shownData(data: string): string {
	const shown = data
		.replace(secret, "$1***")
		.replace(secretOfUser, (_, user: string, password?: string) => (password === undefined ? user : `${user}%***`))
		.replace(secretOfUrl, "$1***");
	return shown.length > LONGEST ? `${shown.slice(0, LONGEST)}…` : shown;
}
