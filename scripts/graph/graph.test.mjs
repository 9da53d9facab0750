// The checks of the graph find what was planted: a check that finds nothing would pass as well.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { findCycles } from "./cycles.mjs";
import { houses, upwardArrows } from "./floors.mjs";
import { moduleUses } from "./rust.mjs";
import { valueImports } from "./typescript.mjs";

const folders = [];
afterEach(() => {
	for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function write(files) {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-graph-"));
	folders.push(folder);
	for (const [name, text] of Object.entries(files)) {
		mkdirSync(dirname(join(folder, name)), { recursive: true });
		writeFileSync(join(folder, name), text);
	}
	return folder;
}

test("a cycle of Rust modules is found in nested braces, in code and through super", () => {
	const folder = write({
		"call.rs": "use crate::{error::{self, Failure}, flags};\n",
		"error.rs": "fn f() { crate::wait::child::end::g(); }\n",
		"flags.rs": "",
		"wait/child.rs": 'fn g() -> &\'static str { "crate::flags" }\n',
		"wait/child/end.rs": "use super::super::reactor::Reactor as R;\n",
		"wait/reactor.rs": "use crate::{\n\tflags,\n\tcall::Call,\n};\n",
	});
	const graph = moduleUses(folder);
	expect(findCycles(graph)).toEqual([["call", "error", "wait/child", "wait/reactor", "call"]]);
	expect(graph.get("wait/child")).toEqual(new Set(["wait/reactor"]));
});

test("a Rust module may name others in tests, comments and texts", () => {
	const folder = write({
		"call.rs": `
			// crate::target
			const TEXT: &str = r#"crate::target"#;
			const QUOTE: char = '"';
			#[cfg(test)]
			use crate::target;
			#[cfg(test)]
			mod tests { fn f() { crate::target::g(); } }
			use crate::error::Failure;
		`,
		"error.rs": "",
		"target.rs": "",
	});
	expect(moduleUses(folder).get("call")).toEqual(new Set(["error"]));
});

test("parts of a Rust module may use each other", () => {
	const folder = write({
		"task/channel.rs": "mod jobs;\nuse jobs::Job;\n",
		"task/channel/jobs.rs": "use super::Channel;\n",
	});
	expect(findCycles(moduleUses(folder))).toEqual([]);
});

test("a cycle of values is found in TypeScript, and a cycle of types is none", () => {
	const folder = write({
		"a.ts": 'import type { B } from "./b.ts";\nimport { c } from "./room/c.ts";\n',
		"b.ts": 'export { a } from "./a.ts";\nexport type { C } from "./room/c.ts";\n',
		"room/c.ts": 'const { d } = await import("../d.ts");\n',
		"d.ts": 'import "./a.ts";\n',
	});
	expect(findCycles(valueImports(folder))).toEqual([["a", "room/c", "d", "a"]]);
});

test("an arrow to a higher floor is found, and a module without a floor", () => {
	const rust = houses["crates/linux/src"];
	const graph = new Map([
		["calls/mount", new Set(["call", "task/clone"])],
		["task/clone", new Set(["task/exec", "flags"])],
		["drawer", new Set()],
	]);
	expect(upwardArrows(rust, graph)).toEqual([
		"calls/mount uses task/clone, which is on a higher floor",
		"drawer is on no floor of scripts/graph/floors.mjs",
	]);
	const spawn = houses["packages/process/src"];
	expect(upwardArrows(spawn, new Map([["signals", new Set(["spawn/tree"])]]))).toHaveLength(1);
});
