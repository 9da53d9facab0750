import { type MountFlag, mountFlags, shownData, wrongValue } from "@nearfar/core/internal";

const { rec, bind, unbindable, private: privateKind, slave, shared } = mountFlags;

/** The four kinds of propagation. */
export const propagationKinds = unbindable | privateKind | slave | shared;

/** For each flag the word that adds it, and the word that takes it away, by the value of the flag. `rec` and `move` have none. */
const wordsOfFlags: readonly [flag: Exclude<MountFlag, "rec" | "move">, adds: string, takesAway?: string][] = [
	["rdonly", "ro", "rw"],
	["nosuid", "nosuid", "suid"],
	["nodev", "nodev", "dev"],
	["noexec", "noexec", "exec"],
	["synchronous", "sync", "async"],
	["remount", "remount", "noremount"],
	["mandlock", "mand", "nomand"],
	["dirsync", "dirsync"],
	["nosymfollow", "nosymfollow", "symfollow"],
	["noatime", "noatime", "atime"],
	["nodiratime", "nodiratime", "diratime"],
	["bind", "bind"],
	["silent", "silent", "loud"],
	["posixacl", "acl"],
	["unbindable", "unbindable"],
	["private", "private"],
	["slave", "slave"],
	["shared", "shared"],
	["relatime", "relatime", "norelatime"],
	["iVersion", "iversion", "noiversion"],
	["strictatime", "strictatime", "nostrictatime"],
	["lazytime", "lazytime", "nolazytime"],
];

/** The effect of a word: first the flags of `takesAway` go, then those of `adds` come. */
interface WordEffect {
	readonly takesAway: number;
	readonly adds: number;
}

const effects = new Map<string, WordEffect>([["defaults", { takesAway: 0, adds: 0 }]]);
for (const [name, adds, takesAway] of wordsOfFlags) {
	const flag = mountFlags[name];
	const others = flag & propagationKinds ? propagationKinds : 0;
	effects.set(adds, { takesAway: others, adds: flag });
	if (others || flag === bind) effects.set(`r${adds}`, { takesAway: others, adds: flag | rec });
	if (takesAway) effects.set(takesAway, { takesAway: flag, adds: 0 });
}

/** True for a word that changes flags, and for `defaults`. */
export function isFlagWord(word: string): boolean {
	return effects.has(word);
}

/** Returns the flags as they are after a word. */
export function applyWord(bits: number, word: string, name: string): number {
	const effect = effects.get(word);
	if (!effect) throw wrongValue(name, `made of the words ${[...effects.keys()].sort().join(", ")}`, shownData(word));
	return ((bits & ~effect.takesAway) | effect.adds) >>> 0;
}

/** Returns the words that add the flags, by the value of the flag, and the bits for which there is no word. */
export function wordsOf(bits: number): { readonly words: string[]; readonly rest: number } {
	const kinds = bits & propagationKinds;
	const isOneKind = (kinds & (kinds - 1)) === 0;
	// Of two words that stand for `rec`, the one of propagation is enough.
	const recursive = bits & rec ? (isOneKind && kinds) || bits & bind : 0;
	const words: string[] = [];
	let rest = recursive ? bits & ~rec : bits;
	for (const [name, word] of wordsOfFlags) {
		const flag = mountFlags[name];
		if (!(bits & flag) || (flag & propagationKinds && !isOneKind)) continue;
		words.push(flag & recursive ? `r${word}` : word);
		rest &= ~flag;
	}
	return { words, rest: rest >>> 0 };
}
