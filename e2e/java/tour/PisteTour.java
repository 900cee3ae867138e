package tour;

import static tour.Tour.equal;
import static tour.Tour.holds;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import piste.ApiClient;
import piste.ApiException;
import piste.ApiResponse;
import piste.api.MessagesApi;
import piste.api.PeersApi;
import piste.api.UsersApi;
import piste.model.Kept;
import piste.model.Login;
import piste.model.Me;
import piste.model.Problem;
import piste.model.Signup;

/** Calls every operation of piste. */
final class PisteTour {
    private static final String ADDRESS = "java@example.org";
    private static final String PASSWORD = "correct horse";

    private final JsonNode targets;
    private final Tour tour;

    PisteTour(JsonNode targets) throws Exception {
        this.targets = targets;
        // They need a user who was deleted since, and tokens that piste does not make.
        Set<String> unreachable = Set.of("user_me 404", "user_me 403", "user_me 422", "peer_me 403", "peer_me 422");
        tour = new Tour(targets.get("document").asText(), unreachable);
    }

    private ApiClient client(String token) {
        ApiClient client = new ApiClient();
        client.updateBaseUri(targets.get("url").asText());
        if (token != null) {
            client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
        }
        return client;
    }

    private interface Call<T> {
        ApiResponse<T> run() throws ApiException;
    }

    private <T> T good(String operation, Call<T> call) throws ApiException {
        ApiResponse<T> answer = call.run();
        tour.saw(operation, answer.getStatusCode(), 200);
        return answer.getData();
    }

    private <T> void bad(String operation, int status, Call<T> call) throws Exception {
        try {
            call.run();
        } catch (ApiException failure) {
            tour.saw(operation, failure.getCode(), status);
            Problem problem = ApiClient.createDefaultObjectMapper().readValue(failure.getResponseBody(), Problem.class);
            equal(problem.getStatus().intValue(), status, operation);
            holds(!problem.getDetail().isEmpty(), operation + " says what is wrong");
            return;
        }
        throw new AssertionError(operation + " was to answer " + status);
    }

    private String activation() throws Exception {
        String log = Files.readString(Path.of(targets.get("log").asText()));
        String rest = log.substring(log.indexOf("activate " + ADDRESS + " at"));
        int begin = rest.indexOf("/user/activate/") + "/user/activate/".length();
        return rest.substring(begin, begin + 36);
    }

    String run() throws Exception {
        UsersApi nobody = new UsersApi(client(null));
        UsersApi stranger = new UsersApi(client("not.a.token"));
        Signup signup = new Signup().email(ADDRESS).password(PASSWORD).name("Ada");
        equal(good("user_signup", () -> nobody.userSignupWithHttpInfo(signup)).getEmail(), ADDRESS, "signed up");
        bad("user_signup", 409, () -> nobody.userSignupWithHttpInfo(signup));
        Signup wrong = new Signup().email("nobody").password(PASSWORD).name(null);
        bad("user_signup", 422, () -> nobody.userSignupWithHttpInfo(wrong));
        Login login = new Login().email(ADDRESS).password(PASSWORD);
        bad("user_login", 403, () -> nobody.userLoginWithHttpInfo(login));
        bad("user_login", 401, () -> nobody.userLoginWithHttpInfo(new Login().email(ADDRESS).password("wrong")));
        bad("user_login", 422, () -> nobody.userLoginWithHttpInfo(new Login().email(ADDRESS)));
        String letter = activation();
        equal(good("user_activate", () -> nobody.userActivateWithHttpInfo(letter)).getEmail(), ADDRESS, "activated");
        bad("user_activate", 404, () -> nobody.userActivateWithHttpInfo("not a/token"));
        String token = good("user_login", () -> nobody.userLoginWithHttpInfo(login)).getToken();

        Me me = good("user_me", new UsersApi(client(token))::userMeWithHttpInfo);
        equal(List.of(me.getEmail(), me.getName(), me.getActive()), List.of(ADDRESS, "Ada", true), "who one is");
        bad("user_me", 401, stranger::userMeWithHttpInfo);
        good("peer_me", new PeersApi(client(token))::peerMeWithHttpInfo);
        bad("peer_me", 401, new PeersApi(client("not.a.token"))::peerMeWithHttpInfo);
        equal(good("user_status", nobody::userStatusWithHttpInfo).getStatus(), "ok", "status");

        MessagesApi messages = new MessagesApi(client(null));
        List<Kept> all = good("messages_list", () -> messages.messagesListWithHttpInfo(null, null));
        equal(all.size(), 3, "messages");
        holds(all.get(0).getReceivedAt().getYear() >= 2026, "a moment is one");
        long before = all.get(1).getId();
        equal(good("messages_list", () -> messages.messagesListWithHttpInfo(before, 1L)), all.subList(2, 3), "older");
        bad("messages_list", 422, () -> messages.messagesListWithHttpInfo(null, -1L));
        return tour.end();
    }
}
