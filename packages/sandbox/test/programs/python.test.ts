import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { needs, skipUnless } from "../../../../test/needs.ts";
import { folder } from "../attempts.ts";
import { hash } from "../hash.ts";
import { outputOf } from "../in-project.ts";

vi.setConfig({ testTimeout: 120_000 });

const { test } = needs("the program python3");

/** Returns whether Python has a module. */
function hasModule(name: string): boolean {
	return spawnSync("python3", ["-c", `import ${name}`]).status === 0;
}

const pool = `
import multiprocessing, unittest

def square(number):
    return number * number

class Test(unittest.TestCase):
    def test_pool(self):
        with multiprocessing.Pool(2) as pool:
            self.assertEqual(pool.map(square, [1, 2, 3]), [1, 4, 9])

    def test_semaphore(self):
        with multiprocessing.Semaphore(1):
            pass

    def test_shared_memory(self):
        from multiprocessing.shared_memory import SharedMemory
        memory = SharedMemory(create=True, size=1 << 20)
        memory.buf[0] = 1
        memory.close()
        memory.unlink()

if __name__ == "__main__":
    unittest.main()
`;

test("SB-26 unittest with multiprocessing: semaphores, pools and shared memory", async () => {
	const project = folder();
	writeFileSync(join(project, "test_pool.py"), pool);
	await outputOf(project, "python3 -m unittest");
});

test("SB-26 pytest with multiprocessing", async () => {
	skipUnless(hasModule("pytest"), "pytest");
	const project = folder();
	writeFileSync(join(project, "test_pool.py"), pool);
	expect(await outputOf(project, "python3 -m pytest -q")).toContain("3 passed");
});

/** Writes the wheel of a package of one file. */
const wheel = `
import zipfile
with zipfile.ZipFile("thing-1.0-py3-none-any.whl", "w") as file:
    file.writestr("thing.py", "print('imported')")
    file.writestr("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: thing\\nVersion: 1.0\\n")
    file.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    file.writestr("thing-1.0.dist-info/RECORD", "thing.py,,\\nthing-1.0.dist-info/RECORD,,\\n")
`;

needs("the program python3", "the file system overlay").test(
	"SB-25 pip installs a wheel, and the cache of the host does not change",
	async () => {
		skipUnless(hasModule("pip"), "pip");
		const [project, home] = [folder(), folder()];
		mkdirSync(join(home, ".cache/pip"), { recursive: true });
		const before = hash(home);
		writeFileSync(join(project, "wheel.py"), wheel);
		const pip = "python3 -m pip --disable-pip-version-check";
		// pip keeps a log in the cache where it is asked to.
		const script = `
			python3 wheel.py; ${pip} install -q --no-index --target lib --log ~/.cache/pip/log thing-1.0-py3-none-any.whl
			test -s ~/.cache/pip/log; PYTHONPATH=lib python3 -c "import thing"`;
		expect(await outputOf(project, script, { outside: { HOME: home } })).toBe("imported");
		expect(hash(home)).toBe(before);
	},
);

test("a virtual environment is made and used", async () => {
	skipUnless(hasModule("venv") && hasModule("ensurepip"), "venv");
	const project = folder();
	writeFileSync(join(project, "wheel.py"), wheel);
	const script = `python3 wheel.py; python3 -m venv own
		own/bin/python -m pip --disable-pip-version-check install -q --no-index thing-1.0-py3-none-any.whl; own/bin/python -c "import thing"`;
	expect(await outputOf(project, script)).toBe("imported");
});
