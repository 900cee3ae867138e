// POSTs of 100 kB that a service answers before it has read them, by Java's HttpClient.
//
// Prints a line of JSON for each kind of answer, then the sum, as e2e/python/httppeers/early.py does.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;

public class Early {
    record Kind(String name, String path, int size, int expected) {}

    static int right = 0;
    static int requests = 0;

    public static void main(String[] arguments) throws Exception {
        var url = arguments[0];
        var count = Integer.parseInt(arguments[1]);
        var kinds = new Kind[] {
            new Kind("refused", "/closed", 100_000, 401),
            new Kind("succeeded", "/opened", 100_000, 201),
            new Kind("missing", "/nowhere", 100_000, 404),
            new Kind("too large", "/echo", 3_000_000, 413),
        };
        for (var kind : kinds) {
            run(url, count, kind);
        }
        System.out.printf("{\"right\": %d, \"requests\": %d}%n", right, requests);
    }

    static void run(String url, int count, Kind kind) {
        var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        var others = new TreeMap<String, Integer>();
        var good = 0;
        for (var number = 0; number < count; number++) {
            var body = HttpRequest.BodyPublishers.ofByteArray(new byte[kind.size()]);
            var early = attempt(client, request(url + kind.path()).POST(body).build());
            var next = attempt(client, request(url + "/number/" + number).build());
            good += note(others, "early", early.startsWith(kind.expected() + " "), early);
            good += note(others, "next", next.equals("200 " + number), next);
        }
        right += good;
        requests += 2 * count;
        System.out.printf("{\"client\": \"java\", \"kind\": \"%s\", \"of\": %d, \"right\": %d, \"others\": \"%s\"}%n",
            kind.name(), 2 * count, good, others.toString().replace('"', '\''));
    }

    static HttpRequest.Builder request(String url) {
        return HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(20));
    }

    static int note(Map<String, Integer> others, String what, boolean good, String outcome) {
        if (!good) {
            others.merge(what + ": " + outcome, 1, Integer::sum);
        }
        return good ? 1 : 0;
    }

    static String attempt(HttpClient client, HttpRequest request) {
        try {
            var answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            var body = answer.body();
            return answer.statusCode() + " " + (answer.statusCode() == 200 ? body : "");
        } catch (Exception error) {
            return error.toString();
        }
    }
}
