package tour;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;

/** The operations of a document, and what each has answered so far. */
final class Tour {
    // Statuses that a client alone can provoke. Others (429, 503 ..) need a service in trouble.
    private static final Set<Integer> PROVOKED =
        Set.of(200, 201, 204, 304, 401, 403, 404, 409, 412, 422);

    private final Map<String, Set<Integer>> documented = new TreeMap<>();
    private final Map<String, Set<Integer>> seen = new TreeMap<>();
    private final Set<String> unreachable;
    private int calls;

    /** {@code unreachable} are statuses that cannot be provoked, such as {@code user_me 404}. */
    Tour(String document, Set<String> unreachable) throws IOException {
        this.unreachable = unreachable;
        JsonNode paths = new ObjectMapper().readTree(new File(document)).get("paths");
        for (JsonNode path : paths) {
            for (JsonNode operation : path) {
                Set<Integer> statuses = new TreeSet<>();
                operation.get("responses").fieldNames().forEachRemaining(status -> {
                    if (!status.equals("default")) {
                        statuses.add(Integer.valueOf(status));
                    }
                });
                documented.put(operation.get("operationId").asText(), statuses);
            }
        }
        documented.keySet().forEach(operation -> seen.put(operation, new TreeSet<>()));
    }

    /** Notes an answer; fails if it is not the expected one. */
    void saw(String operation, int status, int expected) {
        equal(status, expected, operation);
        seen.get(operation).add(status);
        calls++;
    }

    boolean documents(String operation, int status) {
        return documented.get(operation).contains(status);
    }

    /**
     * Fails if an operation was not called, answered by a status that is not documented for it, or did not
     * answer by one that is.
     */
    String end() {
        List<String> complaints = new ArrayList<>();
        documented.forEach((operation, statuses) -> {
            Set<Integer> answered = seen.get(operation);
            if (answered.isEmpty()) {
                complaints.add(operation + " was not called");
            }
            for (int status : answered) {
                if (!statuses.contains(status)) {
                    complaints.add(operation + " " + status + " is not documented");
                }
            }
            for (int status : statuses) {
                boolean reachable = PROVOKED.contains(status) && !unreachable.contains(operation + " " + status);
                if (reachable && !answered.contains(status)) {
                    complaints.add(operation + " " + status + " is documented and was not seen");
                }
            }
        });
        holds(complaints.isEmpty(), String.join("\n", complaints));
        return "{\"operations\":" + documented.size() + ",\"calls\":" + calls + "}";
    }

    static void holds(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object actual, Object expected, String what) {
        holds(expected == null ? actual == null : expected.equals(actual),
            what + ": " + actual + " instead of " + expected);
    }

    /** The CNPJ with these 12 digits and the right check digits. */
    static String cnpj(long number) {
        StringBuilder digits = new StringBuilder(String.format("%012d", number));
        for (int digit = 0; digit < 2; digit++) {
            int last = digits.length() - 1;
            int sum = IntStream.rangeClosed(0, last)
                .map(at -> (digits.charAt(last - at) - '0') * (2 + at % 8)).sum();
            digits.append(sum % 11 < 2 ? 0 : 11 - sum % 11);
        }
        return digits.toString();
    }
}
