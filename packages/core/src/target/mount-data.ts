const LONGEST = 200; // characters: overlayfs takes lists of hundreds of folders

// An option whose name looks like that of a secret, such as `password=` of cifs, `secret=` of ceph and `key=` of ecryptfs, up to
// the next comma. In a password of cifs two commas stand for one, and other file systems escape it.
const secret =
	/([\w.-]*(?:pass|pwd|pword|pw\b|psk|pin\b|secret|key|token|cred|auth)[\w.-]*=)(?:"[^"]*"|,,|\\.|[^,])*/gi;
// The password in `user=name%password`, which cifs takes too, and in `//name:password@host`.
const secretOfUser = /(\buser(?:name)?=[^,%]*%)(?:,,|[^,])*/gi;
const secretOfUrl = /(\/\/[^/@,\s:]*:)[^/@,\s]*(?=@)/g;

/** Returns the options of a file system as a message shows them: without what looks like a secret, and not too long. */
export function shownData(data: string): string {
	const shown = [secret, secretOfUser, secretOfUrl].reduce((text, pattern) => text.replace(pattern, "$1***"), data);
	return shown.length > LONGEST ? `${shown.slice(0, LONGEST)}…` : shown;
}
