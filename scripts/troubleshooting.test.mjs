import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { page, troubleshooting } from "./troubleshooting.mjs";

test("docs/troubleshooting.md has a section for each obstacle, as `npm run generate` writes it", async () => {
	expect(readFileSync(page, "utf8")).toBe(await troubleshooting());
});

test("each section says what is seen, why, and the narrow fix", async () => {
	const sections = (await troubleshooting()).split("\n## ").slice(1);
	expect(sections.length).toBe(22);
	for (const section of sections) {
		for (const part of ["**What you see.** ", "**Why.** ", "**The narrow fix:** "]) expect(section).toContain(part);
	}
});

test("commands and calls are spans of code, which can be copied", async () => {
	const text = await troubleshooting();
	const outside = text.replaceAll(/```[\s\S]*?```/g, "").replaceAll(/`[^`\n]*`/g, "");
	expect(text).not.toContain("\\<");
	expect(outside).not.toMatch(/<abi|sysctl -w|setcap cap_|mount -[ot]|usermod --|Task\.clone\(\{/);
});
