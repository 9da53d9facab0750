import { id as checkId, integer } from "../arguments.ts";
import type { ProcessLike } from "../process/process-like.ts";
import { cutLines } from "./cut.ts";
import { END_OF_IDS, type IdMapping, lineInside, lineOf, readMappings } from "./mapping.ts";
import { freezeLines, joinNeighbours, sortLines } from "./normalise.ts";
import { parseLines } from "./parse.ts";
import { readMap } from "./read-map.ts";

/** Sorted lines that the constructor of {@link IdMap} does not join, because the kernel needs each of them as a line. */
const cut = new WeakSet<object>();
/** Returns a map as it is, and makes one of other mappings: another copy of this package has made them, or plain JavaScript. */
let toMap: (source: IdMap) => IdMap;

/**
 * An immutable map of ids, as a user namespace has one for users and one for groups.
 *
 * A mapping says that `count` ids from `inside` on are the ids from `outside` on in the parent user namespace. Gaps are
 * allowed: an id without a mapping shows as 65534. An empty map is a value, but it cannot be written.
 *
 * The map is normalised: the lines are sorted by the ids inside, and lines that continue each other are one line. So two maps of
 * the same ids are equal, whatever the mappings were that made them.
 *
 * @example
 * ```ts
 * const own = new IdMap([[0, 1000, 1]]);
 * const map = own.concat([{ inside: 1, outside: 100_000, count: 65_535 }]);
 * console.log(map.toOutside(33), map.toInside(1000), map.count); // 100032 0 65536
 * console.log(JSON.stringify(`${map}`)); // "0 1000 1\n1 100000 65535\n"
 * ```
 * @see user_namespaces(7), Linux 3.8; more than 5 lines since Linux 4.15
 */
export class IdMap implements Iterable<IdMapping> {
	/** The lines of the map, sorted by `inside`. Neighbours are joined, unless {@link IdMap.cutBy} has made the map. */
	readonly mappings: readonly IdMapping[];
	/** How many ids the map has: 0 to 4294967295. */
	readonly count: number;
	/** The lines as the kernel has them. {@link IdMap.cutBy} needs the ends that `mappings` has lost by joining. */
	#kernelLines: readonly IdMapping[];

	/**
	 * Makes a map.
	 *
	 * @param mappings - At most 65536 mappings in any order, as objects or as arrays `[inside, outside, count]`. Ids are 0 to
	 * 4294967294. `count` is at least 1, and `inside + count` and `outside + count` are at most 4294967295.
	 * @throws `TypeError` `mappings` is not an iterable of objects and arrays of three.
	 * @throws `TypeError` An id or a count is not a number.
	 * @throws `TypeError` A mapping has an unknown property.
	 * @throws `RangeError` An id or a count is out of its range.
	 * @throws `RangeError` Two mappings overlap, inside or outside. The message names both.
	 * @throws `RangeError` There are more than 65536 mappings.
	 * @throws `RangeError` There are more than 340 lines after neighbours were joined.
	 * @throws Any error that iterating over `mappings` throws.
	 */
	constructor(mappings: Iterable<IdMapping | readonly [inside: number, outside: number, count: number]>) {
		const lines = sortLines(readMappings(mappings, "mappings"), "mappings");
		this.mappings = freezeLines(cut.has(mappings) ? lines : joinNeighbours(lines), "mappings");
		this.#kernelLines = this.mappings;
		this.count = lines.reduce((sum, { count }) => sum + count, 0);
		Object.freeze(this);
	}

	/**
	 * Returns the map of a range of ids to themselves.
	 *
	 * @param first - The first id, 0 to 4294967294. Default: 0.
	 * @param count - How many ids, 1 to 4294967295 - `first`. Default: all ids from `first` on.
	 * @returns A map of one line.
	 * @throws `TypeError` An argument is not a number.
	 * @throws `RangeError` An argument is out of its range.
	 * @example
	 * ```ts
	 * console.log(IdMap.identity().equals(IdMap.parse("0 0 4294967295"))); // true: the map of the initial user namespace
	 * ```
	 */
	static identity(first = 0, count = END_OF_IDS - checkId(first, "first")): IdMap {
		const inside = checkId(first, "first");
		return new IdMap([[inside, inside, integer(count, "count", 1, END_OF_IDS - inside)]]);
	}

	/**
	 * Reads a map from a text, as it stands in `/proc/pid/uid_map` or in the options of programs.
	 *
	 * @param text - Mappings as `"0 1000 1"`, one in each line, or as `"0:1000:1"`, divided by commas. Blank lines and further
	 * spaces are ignored. At most 4194304 characters.
	 * @returns The map. A blank text is the empty map.
	 * @throws `TypeError` `text` is not a string.
	 * @throws `TypeError` A line is not three numbers. The message quotes the line.
	 * @throws `RangeError` The text is longer than 4194304 characters.
	 * @throws `RangeError` The constructor refuses the mappings.
	 * @example
	 * ```ts
	 * const map = IdMap.parse("0:1000:1,1:100000:65536");
	 * console.log(map.equals(IdMap.parse(`${map}`)), map.mappings.length); // true 2
	 * ```
	 */
	static parse(text: string): IdMap {
		return new IdMap(parseLines(text));
	}

	/**
	 * Reads a map of the user namespace of a process, as the current task sees it.
	 *
	 * The ids outside are those of the current task's user namespace. For a process in that same namespace they are those of the
	 * parent. Ids that the current task's user namespace does not have are left out.
	 *
	 * @param process - The process, which may also be a pidfd of the current task. A pid is one of the current task's pid namespace.
	 * @param ids - `"uids"` or `"gids"`.
	 * @returns The map, which is empty as long as none was written.
	 * @throws `ESRCH` There is no such process, or it has ended and was reaped, or `/proc` does not show it.
	 * @throws `ENOENT` No procfs is mounted at `/proc`, or it hides the process (`hidepid`).
	 * @throws `ENOTTY` The descriptor is not a pidfd.
	 * @throws `ERR_NEARFAR_BATCH` A batch is collected.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `process` is no process, or `ids` is neither `"uids"` nor `"gids"`.
	 * @throws `RangeError` A pid is out of its range.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	 * console.log(IdMap.of(task, "uids").toInside(process.geteuid?.() ?? 0)); // 0
	 * ```
	 * @see user_namespaces(7), Linux 3.8; no privilege
	 */
	static of(process: ProcessLike, ids: "uids" | "gids"): IdMap {
		const lines = sortLines(readMap(process, ids), "process");
		const map = new IdMap(lines);
		map.#kernelLines = lines;
		return map;
	}

	/**
	 * Returns the id outside that an id inside stands for.
	 *
	 * @param id - An id inside, 0 to 4294967294.
	 * @returns The id in the parent user namespace, or `undefined` if the map does not have the id.
	 * @throws `TypeError` `id` is not a number.
	 * @throws `RangeError` `id` is out of its range.
	 */
	toOutside(id: number): number | undefined {
		const inside = checkId(id, "id");
		const line = lineInside(this.mappings, inside);
		return line && line.outside + inside - line.inside;
	}

	/**
	 * Returns the id inside that stands for an id outside.
	 *
	 * @param id - An id in the parent user namespace, 0 to 4294967294.
	 * @returns The id inside, or `undefined` if the map does not have the id.
	 * @throws `TypeError` `id` is not a number.
	 * @throws `RangeError` `id` is out of its range.
	 */
	toInside(id: number): number | undefined {
		const outside = checkId(id, "id");
		const line = this.mappings.find((each) => each.outside <= outside && outside < each.outside + each.count);
		return line && line.inside + outside - line.outside;
	}

	/**
	 * Returns the part of the map whose ids inside lie in a range.
	 *
	 * @param inside - The first id of the range, 0 to 4294967294.
	 * @param count - How many ids the range has, 1 to 4294967295 - `inside`.
	 * @returns A new map, which is empty if no mapping lies in the range.
	 * @throws `TypeError` An argument is not a number.
	 * @throws `RangeError` An argument is out of its range.
	 * @example
	 * ```ts
	 * const map = new IdMap([[0, 100_000, 65_536]]);
	 * console.log(JSON.stringify(map.slice(1000, 2))); // [{"inside":1000,"outside":101000,"count":2}]
	 * ```
	 */
	slice(inside: number, count: number): IdMap {
		const first = checkId(inside, "inside");
		const end = first + integer(count, "count", 1, END_OF_IDS - first);
		return new IdMap(
			this.mappings.flatMap((line) => {
				const start = Math.max(first, line.inside);
				const length = Math.min(end, line.inside + line.count) - start;
				return length > 0 ? [[start, line.outside + start - line.inside, length] as const] : [];
			}),
		);
	}

	/**
	 * Returns the map that has the mappings of this map and of others.
	 *
	 * @param others - More mappings, as the constructor takes them.
	 * @returns A new map.
	 * @throws `TypeError` One of `others` is not an iterable of mappings.
	 * @throws `RangeError` Two mappings overlap, inside or outside. The message names both.
	 * @throws `RangeError` The constructor refuses the mappings for another reason.
	 * @throws Any error that iterating over one of `others` throws.
	 */
	concat(...others: Iterable<IdMapping>[]): IdMap {
		const more = others.map((other, index) => readMappings(other, `others[${index}]`));
		return new IdMap([this.mappings, ...more].flat());
	}

	/**
	 * Returns the same map, cut where lines of another map end.
	 *
	 * The kernel refuses to write a line whose ids outside lie in several lines of the writer's own user namespace (`EPERM`). The
	 * ends are those of the kernel's lines if `parent` is an answer of {@link IdMap.of}. The new map is not normalised, so that
	 * `mappings`, `toString` and a loop have each piece. `equals` compares the ids, and finds both maps equal.
	 *
	 * @param parent - The map of the user namespace in which the ids outside are ids.
	 * @returns A new map.
	 * @throws `TypeError` `parent` is not a map.
	 * @throws `RangeError` `parent` does not have an id that this map has outside.
	 * @throws `RangeError` The pieces are more than 340.
	 * @example
	 * ```ts
	 * const parent = new IdMap([[0, 1000, 1], [1, 100_000, 65_536]]);
	 * console.log(IdMap.identity(0, 10).cutBy(parent).mappings.length); // 2: the kernel refuses one line of 10 ids
	 * ```
	 */
	cutBy(parent: IdMap): IdMap {
		const lines = cutLines(this.mappings, toMap(parent).#kernelLines);
		cut.add(lines);
		return new IdMap(lines);
	}

	/**
	 * Tells whether another map has the same ids, inside and outside.
	 *
	 * @param other - The map to compare with.
	 * @returns `true` if both map the same ids to the same ids. Where their lines end makes no difference.
	 * @throws `TypeError` `other` is not a map.
	 */
	equals(other: IdMap): boolean {
		const [own, its] = [this, toMap(other)].map((map) => joinNeighbours(map.mappings).map(lineOf).join());
		return own === its;
	}

	/**
	 * Returns the text that the kernel takes, in its shortest form: the three numbers of a mapping with single spaces, each mapping in a
	 * line that ends with a line feed. The kernel takes at most 4095 bytes, and so not always 340 lines.
	 *
	 * @returns The text. The empty map is the empty text.
	 */
	toString(): string {
		return this.mappings.map((line) => `${lineOf(line)}\n`).join("");
	}

	/**
	 * Returns the mappings for `JSON.stringify`, which `new IdMap` takes again.
	 *
	 * @returns New objects that can be changed.
	 */
	toJSON(): IdMapping[] {
		return this.mappings.map((line) => ({ ...line }));
	}

	/**
	 * Returns an iterator over the mappings, sorted by the ids inside.
	 *
	 * @returns The iterator.
	 */
	[Symbol.iterator](): IterableIterator<IdMapping> {
		return this.mappings.values();
	}

	static {
		toMap = (source) =>
			typeof source === "object" && source !== null && #kernelLines in source ? source : new IdMap(source);
	}
}
