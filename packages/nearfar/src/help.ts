import { readFileSync } from "node:fs";

/** What `--help` prints: at most 24 lines of 80 characters. */
export const helps = {
	nearfar: `Usage: nearfar run [OPTION…] [--] COMMAND [ARGUMENT…]
       nearfar doctor [--json]

nearfar runs a program in a sandbox: it sees the files that you name, writes
where you allow it, and has the network that you give it. Nothing is installed,
and root is not needed.

  run        runs a command. See nearfar run --help
  doctor     says what this host can do, and what to do about the rest
  --help     prints this
  --version  prints the version

By default the command reads the host but for your home directory, writes the
working directory alone, and has no network:

  nearfar run npm test
  nearfar run --allow registry.npmjs.org --time 10m -- npm install
`,
	run: `Usage: nearfar run [OPTION…] [--] COMMAND [ARGUMENT…]

  --write PATH       may be written, in place of the working directory
  --read PATH        may be read, in place of the whole host
  --scratch PATH     takes writes that are lost at the end
  --hide PATH        is empty; a pattern such as "**/*.pem" too
  --protect PATH     cannot be written inside of what may be; a pattern too
  --net none|host    nothing but loopback (the default), or the host's network
  --allow HOST       may be reached through a proxy: NAME, *.NAME, NAME:PORT
  --localhost PORT   a port of the host's 127.0.0.1 that is there inside, too
  --publish PORT     a port inside that is there on the host's 127.0.0.1, too
  --time TIME        ends the command after 500ms, 90s, 10m or 2h
  --memory SIZE      that everything has together, such as 2g; --swap SIZE, too
  --cpus N           as much time as 1.5 processors; --processes N, and threads
  --env NAME[=VALUE] a variable beside PATH, HOME, TERM, LANG, LC_*, TZ, TMPDIR
  --preset NAME      "project" (the default), or "closed": /usr and nothing else
  --isolation KIND   "landlock": no namespaces; --without hide,protect,scratch
  --config FILE      the same options and more, as JSON
  --tty, --no-tty    a terminal of its own; the default where 0, 1 and 2 are one
  --json FD          writes {"result": …} or {"error": …} to a descriptor
  --dry-run          prints the plan as JSON, and runs nothing
A PATH, a HOST, a PORT and a NAME[=VALUE] can be given many times. Exit code: of
the command, 128 + signal; 125: no sandbox; 126: no execution; 127: no command.
`,
	doctor: `Usage: nearfar doctor [--json]

Tries everything that a sandbox needs, in a sandbox that is thrown away, and
prints what this host can do, what stands in the way, and what helps. Nothing
of the host is changed.

  --json  prints the report as JSON

Exit code: 0: everything works; 1: something does not.
`,
};

/** Returns the version of the package. */
export function version(): string {
	return JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version;
}
