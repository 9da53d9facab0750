// Reads which modules of a crate use which. A file and the folder of the same name below a room are one module: the parts of
// `task/channel/` belong to `task/channel.rs`, and may use each other.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Returns the graph of the modules in the folder `src` of a crate. Modules that only tests compile are left out. */
export function moduleUses(folder) {
	const files = readdirSync(folder, { recursive: true }).filter((file) => file.endsWith(".rs"));
	const own = files.filter((file) => !["lib.rs", "main.rs"].includes(file) && !file.startsWith("bin/"));
	const paths = own.map((file) => file.replace(/\.rs$/, ""));
	const graph = new Map();
	for (const path of paths) {
		const used = usedBy(readFileSync(join(folder, `${path}.rs`), "utf8"), path.split("/"));
		const targets = used.map((segments) => longestPrefix(segments, paths)).filter(Boolean);
		const module = moduleOf(path);
		const others = targets.map(moduleOf).filter((other) => other !== module);
		graph.set(module, new Set([...(graph.get(module) ?? []), ...others]));
	}
	return graph;
}

/** The folders at the root of a crate that are parts of a module and no room. */
const partsOfModules = ["call", "filter", "flags"];

/** `task/channel/jobs` is a part of `task/channel`, `flags/mount` one of `flags`; `task/exec` stands for itself. */
function moduleOf(path) {
	const [room, name] = path.split("/");
	return partsOfModules.includes(room) || !name ? room : `${room}/${name}`;
}

function longestPrefix(segments, paths) {
	for (let length = segments.length; length > 0; length--) {
		const path = segments.slice(0, length).join("/");
		if (paths.includes(path)) return path;
	}
}

/** Returns every path that a file names, from the root of the crate. `here` is the module of the file. */
export function usedBy(text, here) {
	const code = withoutTests(withoutTexts(text));
	const found = [...code.matchAll(/(?<![\w:$])(crate|super|self)::/g)].flatMap((start) => {
		const end = start.index + start[0].length;
		const base = { crate: [], self: here, super: here.slice(0, -1) }[start[1]];
		return parseTree(code, end, base);
	});
	// `mod list; pub use list::Sequence;` needs no `self`.
	const children = [...code.matchAll(/\bmod (\w+);/g)].map(([, name]) => name);
	const relative = [...code.matchAll(/\buse (\w+)::/g)].filter(([, name]) => children.includes(name));
	return [...found, ...relative.map(([, name]) => [...here, name])];
}

/** Reads `a::{b, c::{self, D}}` from a place in the code: each leaf with the path before it. */
function parseTree(code, start, base) {
	const leaves = [];
	let at = start;
	const skip = () => {
		while (/\s/.test(code[at] ?? "")) at++;
	};
	const path = (before) => {
		skip();
		if (code[at] === "{") {
			for (at++; ; at++) {
				skip();
				if (code[at] !== "}") path(before);
				skip();
				if (code[at] !== ",") break;
			}
			at++;
			return;
		}
		const [word] = /^(\w*|\*)/.exec(code.slice(at, at + 80));
		at += word.length;
		const segments = word === "super" ? before.slice(0, -1) : word === "self" ? before : [...before, word];
		const alias = /^\s+as\s+\w+/.exec(code.slice(at, at + 80));
		if (alias) at += alias[0].length;
		if (code.startsWith("::", at) && code[at + 2] !== "<") {
			at += 2;
			path(segments);
		} else leaves.push(segments);
	};
	path(base);
	return leaves;
}

/** Removes comments, and what stands in quotation marks. */
function withoutTexts(text) {
	const parts = /\/\/.*|\/\*[\s\S]*?\*\/|\bb?r(#*)"[\s\S]*?"\1|b?"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])'/g;
	return text.replace(parts, (part) => (part.startsWith("/") ? "" : '""'));
}

/** Removes items that are marked `#[cfg(test)]`: up to their semicolon, or to the end of their block. */
function withoutTests(code) {
	for (;;) {
		const start = code.search(/#\[cfg\(test\)\]/);
		if (start < 0) return code;
		let end = start;
		while (end < code.length && !";{".includes(code[end])) end++;
		for (let depth = 0; end < code.length; end++) {
			if (code[end] === "{") depth++;
			if (code[end] === "}") depth--;
			if (depth === 0) break;
		}
		code = code.slice(0, start) + code.slice(end + 1);
	}
}
