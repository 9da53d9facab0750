import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { platforms, sliceFolder } from "./platforms.mjs";
import { root } from "./run.mjs";
import { crateTexts, parts } from "./third-party/parts.mjs";
import { chosenLicence, licenceFile, linked, page, unnamedCrates } from "./third-party.mjs";

const locked = readFileSync(join(root, "Cargo.lock"), "utf8");
const pages = platforms.map((platform) => [
	platform.name,
	readFileSync(join(sliceFolder(platform), "THIRD-PARTY.md"), "utf8"),
]);

test.each(pages)(
	"THIRD-PARTY.md of %s has only crates in the versions of Cargo.lock, and every part",
	(_name, text) => {
		const crates = [...text.matchAll(/^- \[([\w-]+) (\d\S*)\]/gm)];
		expect(crates.length).toBeGreaterThan(0);
		for (const [, name, version] of crates) expect(locked).toContain(`name = "${name}"\nversion = "${version}"\n`);
		for (const { name, url } of parts) expect(text).toContain(`- [${name}](${url})`);
	},
);

test.each(pages)("THIRD-PARTY.md of %s has the texts that crates leave out", (_name, text) => {
	expect(text).toContain("Copyright (c) 2020-present LongYinan");
	expect(text).toContain("LLVM Exceptions to the Apache 2.0 License");
});

test("every text of a part or a crate exists", () => {
	for (const text of [...parts.map((part) => part.text), ...Object.values(crateTexts)]) {
		expect(existsSync(join(root, "scripts/third-party", text))).toBe(true);
	}
});

test("macros, build dependencies and the crates of this workspace are not linked", () => {
	const crate = (name, kind = "lib", source = "registry") => ({ id: name, name, source, targets: [{ kind: [kind] }] });
	const packages = [
		crate("nearfar-node", "cdylib", null),
		crate("ours", "lib", null),
		crate("macro", "proc-macro"),
		crate("build"),
		crate("b"),
		crate("a"),
		crate("of-a-macro"),
	];
	const needs = (...names) => names.map((pkg) => ({ pkg, dep_kinds: [{ kind: pkg === "build" ? "build" : null }] }));
	const deps = {
		"nearfar-node": needs("ours", "macro", "build"),
		ours: needs("b"),
		b: needs("a"),
		macro: needs("of-a-macro"),
	};
	const nodes = packages.map(({ id }) => ({ id, deps: deps[id] ?? [] }));
	expect(linked({ packages, resolve: { nodes } }).map(({ name }) => name)).toEqual(["a", "b"]);
});

test("MIT is chosen where it is offered, and a license that has no text to choose is refused", () => {
	expect(chosenLicence({ name: "a", license: "Apache-2.0 OR MIT" })).toBe("MIT");
	expect(chosenLicence({ name: "a", license: "MIT/Apache-2.0" })).toBe("MIT");
	expect(chosenLicence({ name: "a", license: "ISC" })).toBe("ISC");
	for (const license of ["(MIT OR Apache-2.0) AND Unicode-3.0", "Apache-2.0 OR Zlib", null]) {
		expect(() => chosenLicence({ name: "a", license })).toThrow();
	}
});

test("the file of a license is found by its name, or because there is no other", () => {
	expect(licenceFile("MIT", ["COPYING", "LICENSE-MIT", "UNLICENSE"])).toBe("LICENSE-MIT");
	expect(licenceFile("MIT", ["Cargo.toml", "LICENSE"])).toBe("LICENSE");
	expect(licenceFile("MIT", ["LICENSE-APACHE", "LICENSE-ZLIB"])).toBe(undefined);
	expect(licenceFile("MIT", ["Cargo.toml"])).toBe(undefined);
});

test("equal texts are written once", () => {
	const notice = (name, text) => ({ name, version: "1.0.0", licence: "MIT", url: "https://example.org", text });
	const text = page(platforms[0], [
		notice("a", "A text.\n"),
		notice("b", "Another.\n"),
		notice("c", "A\r\ntext.  \n\n"),
	]);
	expect(text.match(/^## .*$/gm)).toEqual(["## MIT: a, c", "## MIT: b"]);
	expect(text.match(/A text/g).length).toBe(1);
});

test("a crate that an addon has code of, and that its page does not name, is found", () => {
	const addon = Buffer.from(
		"\0/cargo/registry/src/index.crates.io-1949cf8c6b5b557f/napi-3.16.1/src/error.rs/rust/library/core/src/cell.rs\0" +
			"/rust/deps/addr2line-0.25.1/src/unit.rs/rust/library/vendor/hashbrown-0.16.1/src/raw.rs",
	);
	expect(unnamedCrates(addon, "- [napi 3.16.1](x)\n- [hashbrown](y), of std\n")).toEqual(["addr2line"]);
});
