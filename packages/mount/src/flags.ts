import {
	integer,
	type MountAttribute,
	type MountFlag,
	mountFlags,
	toBits,
	toChoice,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import type { AccessTimes } from "./attributes.ts";
import type { MountData } from "./data.ts";
import { applyWord, wordsOf } from "./option-words.ts";
import { splitOptions } from "./split.ts";

/** Options of fstab(5), as {@link MountFlags.split} parts them by their reader. */
export interface MountOptionSplit {
	/** The flags for mount(2). */
	flags: MountFlags;
	/** Options for the file system, as the `data` of a mount. */
	data: string[];
	/** Options that only mount(8) and the readers of fstab(5) know, such as `noauto` and `x-systemd.automount`. */
	userspace: string[];
}

const names = Object.keys(mountFlags) as MountFlag[];
const attributes = ["rdonly", "nosuid", "nodev", "noexec", "nosymfollow", "nodiratime"] as const satisfies MountFlag[];
const parameters = [
	["rdonly", "ro"],
	["synchronous", "sync"],
	["dirsync", "dirsync"],
	["lazytime", "lazytime"],
	["mandlock", "mand"],
] as const satisfies [MountFlag, string][];
/** Two of these at once have the meaning of the first one, as mount(2) reads them. */
const accessTimes = ["strictatime", "noatime", "relatime"] as const satisfies MountFlag[];
const forNewCalls = toBits(mountFlags, [...attributes, ...parameters.map(([flag]) => flag), ...accessTimes]);

/**
 * A set of flags of mount(2) (`MS_*`), and their text as in fstab(5). A set never changes: methods return new sets.
 *
 * The text has the words of mount(8): `"ro,nosuid,rbind"`. The names of flags are those of the kernel in camelCase, as
 * everywhere: `["rdonly", "nosuid", "bind", "rec"]`. Iteration yields these names, by the value of the flag; bits without
 * a name are in `bits` alone.
 *
 * @example
 * ```ts
 * const flags = MountFlags.parse("ro,nosuid,rbind");
 * console.log([...flags]); // rdonly, nosuid, bind, rec
 * console.log(flags.change("rw,noexec").toText()); // nosuid,noexec,rbind
 * ```
 * @see mount(2); mount(8), "FILESYSTEM-INDEPENDENT MOUNT OPTIONS"
 */
export class MountFlags implements Iterable<MountFlag> {
	/** The flags as one number, from 0 to 2^32-1. Bits without a name are kept. */
	readonly bits: number;

	private constructor(bits: number) {
		this.bits = integer(bits, "bits", 0, 2 ** 32 - 1);
		Object.freeze(this);
	}

	/**
	 * Returns a set of flags.
	 *
	 * Flags of statvfs(3) are other numbers: 4096 is `ST_RELATIME` there, and `MS_BIND` here. The options of a mount that
	 * exists come from `mountinfo` or `statmount`.
	 *
	 * @param source - Names of flags, another set, or a number from 0 to 2^32-1.
	 * @returns The set. A set is returned as it is.
	 * @throws `TypeError` The source has the wrong type, or a name is no flag. Text is for {@link MountFlags.parse}.
	 * @throws `RangeError` The number is out of its range.
	 * @example
	 * ```ts
	 * console.log(MountFlags.from(["rdonly", "nosuid"]).bits); // 3
	 * console.log(MountFlags.from(3).toText()); // ro,nosuid
	 * ```
	 * @see mount(2)
	 */
	static from(source: Iterable<MountFlag> | MountFlags | number): MountFlags {
		if (source instanceof MountFlags) return source;
		if (typeof source === "number") return new MountFlags(integer(source, "source", 0, 2 ** 32 - 1));
		if (typeof source !== "object" || typeof source?.[Symbol.iterator] !== "function") {
			throw wrongType("source", "an iterable of names of flags, a MountFlags or a number", source);
		}
		return new MountFlags(toBits(mountFlags, [...source], "source"));
	}

	/**
	 * Returns the flags that option words say: no flags, changed by the words.
	 *
	 * @param text - Words separated by commas, as {@link MountFlags.change} takes them.
	 * @returns The set.
	 * @throws `TypeError` The text is no string, or a word is unknown.
	 * @example
	 * ```ts
	 * console.log(MountFlags.parse("rprivate").bits.toString(16)); // 44000
	 * ```
	 * @see mount(8), "FILESYSTEM-INDEPENDENT MOUNT OPTIONS"
	 */
	static parse(text: string): MountFlags {
		return new MountFlags(0).change(text);
	}

	/**
	 * Splits options of fstab(5) into flags for mount(2), options for the file system, and options that only mount(8)
	 * knows.
	 *
	 * Flags change in the order of their words, and the last word wins. A flag with a value, such as `ro=1`, is refused. Of
	 * several options for the file system with one key the last one stays, unless the key ends in `+`. A comma in double quotes
	 * separates nothing. The function adds no flags of its own: mount(8) adds `nosuid`, `nodev` and `noexec` to `user` and
	 * `users`, and `nosuid` and `nodev` to `owner` and `group`.
	 *
	 * @param options - Text, a list or an object. A descriptor becomes its number in the current task.
	 * @param base - Flags that the words change. Default: none.
	 * @returns Flags and data for `mount`, and the options that were left over.
	 * @throws `TypeError` An option has the wrong type, no name, a NUL byte or a comma, or is a flag with a value.
	 * @throws `TypeError` A double quote is not closed before a comma.
	 * @throws `ERR_NEARFAR_BATCH` A descriptor is one that a batch has still to make.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
	 * @throws `RangeError` A number is not a whole one.
	 * @example
	 * ```ts
	 * const { flags, data, userspace } = MountFlags.split("noauto,nosuid,size=1m,x-systemd.automount");
	 * console.log(flags.toText()); // nosuid
	 * console.log(data); // size=1m
	 * console.log(userspace); // noauto, x-systemd.automount
	 * ```
	 * @see fstab(5); mount(8)
	 */
	static split(options: MountData, base: MountFlags | readonly MountFlag[] = []): MountOptionSplit {
		const { bits, data, userspace } = splitOptions(options, MountFlags.from(base).bits);
		return { flags: new MountFlags(bits), data, userspace };
	}

	/**
	 * Returns the flags as option words change them, one after the other.
	 *
	 * Words that add a flag are `acl`, `bind`, `dirsync`, `iversion`, `lazytime`, `mand`, `noatime`, `nodev`, `nodiratime`,
	 * `noexec`, `nosuid`, `nosymfollow`, `relatime`, `remount`, `ro`, `silent`, `strictatime` and `sync`; `rbind` adds `bind`
	 * and `rec`. Words that take a flag away are `async`, `atime`, `dev`, `diratime`, `exec`, `loud`, `noiversion`,
	 * `nolazytime`, `nomand`, `norelatime`, `noremount`, `nostrictatime`, `rw`, `suid` and `symfollow`. `private`, `shared`,
	 * `slave` and `unbindable` replace the kind of propagation, and leave `rec` as it is; with `r` before them they add `rec`.
	 * `defaults` changes nothing. Empty words are skipped.
	 *
	 * @param text - Words separated by commas.
	 * @returns The new set.
	 * @throws `TypeError` The text is no string, or a word is unknown. {@link MountFlags.split} also takes other options.
	 * @example
	 * ```ts
	 * const flags = MountFlags.from(["rdonly", "nosuid"]);
	 * console.log(flags.change("rw,nodev").toText()); // nosuid,nodev
	 * ```
	 * @see mount(8), "FILESYSTEM-INDEPENDENT MOUNT OPTIONS"
	 */
	change(text: string): MountFlags {
		if (typeof text !== "string") throw wrongType("text", "a string", text);
		const words = text.split(",").filter((word) => word !== "");
		return new MountFlags(words.reduce((bits, word) => applyWord(bits, word, "text"), this.bits));
	}

	/**
	 * Returns true if a flag is in the set.
	 *
	 * @param name - The name of the flag.
	 * @returns Whether the flag is in the set.
	 * @throws `TypeError` The name is no flag.
	 * @example
	 * ```ts
	 * console.log(MountFlags.parse("ro").has("rdonly")); // true
	 * ```
	 * @see mount(2)
	 */
	has(name: MountFlag): boolean {
		return (this.bits & toChoice(mountFlags, name, "name")) !== 0;
	}

	/**
	 * Returns true if another set has the same flags, bits without a name included.
	 *
	 * @param other - Another set.
	 * @returns Whether both have the same bits.
	 * @throws `TypeError` The argument is no `MountFlags`.
	 * @example
	 * ```ts
	 * console.log(MountFlags.parse("ro").equals(MountFlags.from(["rdonly"]))); // true
	 * ```
	 * @see mount(2)
	 */
	equals(other: MountFlags): boolean {
		if (!(other instanceof MountFlags)) throw wrongType("other", "a MountFlags", other);
		return this.bits === other.bits;
	}

	/**
	 * Returns the option words of the flags, by the value of the flag.
	 *
	 * `rec` is the `r` of a word: of the word for propagation if there is one, else of `rbind`.
	 *
	 * @returns The words. {@link MountFlags.parse} makes the same set of them.
	 * @throws `TypeError` There is no word: for two kinds of propagation, `move`, `rec` alone, and bits without a name.
	 * @example
	 * ```ts
	 * console.log(MountFlags.from(["bind", "rec", "rdonly"]).toNames()); // ro, rbind
	 * ```
	 * @see mount(8), "FILESYSTEM-INDEPENDENT MOUNT OPTIONS"
	 */
	toNames(): string[] {
		const { words, rest } = wordsOf(this.bits);
		if (rest !== 0) throw wrongValue("this", "a set of flags that have option words", hexadecimal(rest));
		return words;
	}

	/**
	 * Returns the option words of the flags, separated by commas.
	 *
	 * @returns The text: empty for no flags. {@link MountFlags.parse} makes the same set of the text.
	 * @throws `TypeError` There is no word: for two kinds of propagation, `move`, `rec` alone, and bits without a name.
	 * @example
	 * ```ts
	 * console.log(MountFlags.from(["nosuid", "rdonly"]).toText()); // ro,nosuid
	 * ```
	 * @see mount(8), "FILESYSTEM-INDEPENDENT MOUNT OPTIONS"
	 */
	toText(): string {
		return this.toNames().join(",");
	}

	/**
	 * Returns the flags for a message: as `toText`, with one hexadecimal number for all bits that have no word.
	 *
	 * @returns The text. The method never throws.
	 * @example
	 * ```ts
	 * console.log(String(MountFlags.from(["move", "rdonly"]))); // ro,0x2000
	 * ```
	 * @see mount(2)
	 */
	toString(): string {
		const { words, rest } = wordsOf(this.bits);
		return [...words, ...(rest === 0 ? [] : [hexadecimal(rest)])].join(",");
	}

	/**
	 * Returns what the flags mean for the calls that take attributes of a mount apart from parameters of its file system.
	 *
	 * mount(2) takes both in one word. `rdonly` becomes both: the attribute makes the mount read-only, and the parameter
	 * `ro` makes the file system read-only wherever it is mounted. Of several flags for access times the strongest one
	 * counts, as for mount(2): `strictatime`, then `noatime`, then `relatime`.
	 *
	 * @returns Attributes, access times and options for the file system. `Mount.create("tmpfs", { ...flags.toAttributes() })` takes
	 * them as they are. `atime` is absent, not `undefined`, if the flags say nothing about access times.
	 * @throws `TypeError` A flag has no meaning there: `bind`, `rec`, `remount`, `move`, `silent`, `posixacl`, `iVersion`,
	 * a kind of propagation, or a bit without a name.
	 * @example
	 * ```ts
	 * const { set, atime, data } = MountFlags.parse("ro,nosuid,noatime,sync").toAttributes();
	 * console.log(set, atime, data); // rdonly nosuid, noatime, ro sync
	 * ```
	 * @see fsmount(2); mount_setattr(2)
	 */
	toAttributes(): { set: MountAttribute[]; atime?: AccessTimes; data: string[] } {
		const other = MountFlags.from((this.bits & ~forNewCalls) >>> 0);
		if (other.bits !== 0) throw wrongValue("this", "a set of flags that are attributes or parameters", String(other));
		const atime = accessTimes.find((name) => this.has(name));
		return {
			set: attributes.filter((name) => this.has(name)),
			...(atime && { atime }),
			data: parameters.filter(([name]) => this.has(name)).map(([, word]) => word),
		};
	}

	/** Yields the names of the flags, by the value of the flag. Bits without a name are skipped. */
	*[Symbol.iterator](): Iterator<MountFlag> {
		yield* names.filter((name) => this.has(name));
	}
}

function hexadecimal(bits: number): string {
	return `0x${bits.toString(16)}`;
}
