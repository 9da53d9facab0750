/** Returns a text as one word of a POSIX shell, in quotes unless no letter of the text means something to a shell. */
export function shellWord(text: string): string {
	return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
