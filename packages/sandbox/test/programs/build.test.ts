import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { folder } from "../attempts.ts";
import { outputOf } from "../in-project.ts";

vi.setConfig({ testTimeout: 120_000 });

/** Makes a project of these files. */
function project(files: Record<string, string>): string {
	const at = folder();
	for (const [name, text] of Object.entries(files)) {
		mkdirSync(join(at, name, ".."), { recursive: true });
		writeFileSync(join(at, name), text);
	}
	return at;
}

needs("the program gcc", "the program make").test("gcc and make -j build and run a program", async () => {
	const at = project({
		Makefile: "both: one two\n%: %.c\n\tgcc -o $@ $<\n",
		"one.c": '#include <stdio.h>\nint main(void) { puts("built"); }\n',
		"two.c": "int main(void) { return 0; }\n",
	});
	expect(await outputOf(at, "make -sj2 both && ./one && ./two")).toBe("built");
	expect(existsSync(join(at, "two"))).toBe(true);
});

needs("the program cmake", "the program make", "the program gcc").test("cmake builds out of its tree", async () => {
	const at = project({
		"CMakeLists.txt": "cmake_minimum_required(VERSION 3.10)\nproject(a C)\nadd_executable(a a.c)\n",
		"a.c": "int main(void) { return 0; }\n",
	});
	await outputOf(at, "cmake -S . -B build && cmake --build build && build/a");
});

needs("the program cargo", "the file system overlay").test(
	"SB-25 cargo build and cargo test of a crate; the registry of the host does not change",
	async () => {
		const at = project({
			"Cargo.toml": '[package]\nname = "a"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\nb = { path = "b" }\n',
			"src/main.rs": 'fn main() { println!("{}", b::b()); }\n#[test]\nfn b() { assert_eq!(b::b(), "built"); }\n',
			"b/Cargo.toml": '[package]\nname = "b"\nversion = "0.1.0"\nedition = "2021"\n',
			"b/src/lib.rs": 'pub fn b() -> &\'static str { "built" }\n',
		});
		const mark = `nearfar-${process.pid}`;
		const script = `cargo build -q --offline; cargo test -q --offline; target/debug/a
			test ! -d ~/.cargo/registry || touch ~/.cargo/registry/${mark}`;
		expect(await outputOf(at, script)).toMatch(/built$/);
		expect(existsSync(join(homedir(), ".cargo/registry", mark))).toBe(false);
		expect(readFileSync(join(at, "Cargo.lock"), "utf8")).toContain('name = "b"');
	},
);

needs("the program go").test("go run", async () => {
	const at = project({
		"go.mod": "module a\n\ngo 1.18\n",
		"a.go": 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("built") }\n',
	});
	expect(await outputOf(at, "go run .")).toBe("built");
});

needs("the program javac").test("javac and java", async () => {
	const at = project({
		"A.java": 'public class A { public static void main(String[] args) { System.out.println("built"); } }\n',
	});
	expect(await outputOf(at, "javac A.java && java A")).toBe("built");
});

test("hard links, links, FIFOs and renames work in the project, as of a build cache", async () => {
	const at = project({ "cache/entry": "built", ".git/hooks/post-commit": "", ".git/config": "" });
	const script = `
		mkdir out && ln cache/entry out/entry && ln -s entry out/link && cat out/link
		cp -al cache copy && test cache/entry -ef copy/entry && mv copy out/copy && rm -r cache
		mkfifo pipe && (echo through > pipe &) && cat pipe
		ln out/entry .git/entry 2> /dev/null || cp out/entry .git/entry && mv .git/entry entry`;
	expect(await outputOf(at, script)).toBe("builtthrough");
	expect(readFileSync(join(at, "out/copy/entry"), "utf8")).toBe("built");
});
