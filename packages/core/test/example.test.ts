import { testExample } from "../../../test/example.ts";
import { expectNoLeaks } from "../../../test/leaks.ts";

expectNoLeaks();
testExample(import.meta.url);
