import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { shellWord } from "../src/shell-word.ts";

test.each([
	["/usr/bin/newuidmap"],
	["a b"],
	[""],
	["it's"],
	["$HOME"],
	["~"],
	["*"],
	["a;b"],
	["a\nb"],
	["`id`"],
	["ü"],
])("a shell takes %j for one word", (text) => {
	expect(execFileSync("sh", ["-c", `printf '<%s>' ${shellWord(text)}`], { encoding: "utf8" })).toBe(`<${text}>`);
});
