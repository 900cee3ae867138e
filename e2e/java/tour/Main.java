package tour;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;

/**
 * Calls every operation of the registry and of piste by clients that OpenAPI Generator generates.
 *
 * <p>The argument is the JSON file of {@code test_support::generated_clients::ServicesUnderTest}: where the services are, their keys and
 * documents. The last line is JSON: how many operations and calls of each service.
 */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        JsonNode targets = new ObjectMapper().readTree(new File(arguments[0]));
        String registry = new RegistryTour(targets.get("registry")).run();
        String piste = new PisteTour(targets.get("piste")).run();
        System.out.println("{\"registry\":" + registry + ",\"piste\":" + piste + "}");
    }
}
