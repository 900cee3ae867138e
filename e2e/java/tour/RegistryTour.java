package tour;

import static tour.Tour.cnpj;
import static tour.Tour.equal;
import static tour.Tour.holds;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import registry.ApiClient;
import registry.ApiException;
import registry.ApiResponse;
import registry.api.CompaniesApi;
import registry.api.RegisterApi;
import registry.model.Action;
import registry.model.Company;
import registry.model.CompanyFields;
import registry.model.CompanyPatch;
import registry.model.HistoryEntry;
import registry.model.NewCompany;
import registry.model.PageOfCompany;
import registry.model.Partner;
import registry.model.Problem;

/** Calls every operation of the registry. */
final class RegistryTour {
    private static final String UNKNOWN = cnpj(999999990003L);
    private static final String WRONG = UNKNOWN.substring(0, 13) + (UNKNOWN.charAt(13) - '0' + 1) % 10;

    private final JsonNode targets;
    private final Tour tour;
    private final CompaniesApi us;
    private final CompaniesApi stranger;
    private final CompaniesApi reader;
    private final CompaniesApi writer;

    RegistryTour(JsonNode targets) throws Exception {
        this.targets = targets;
        tour = new Tour(targets.get("document").asText(), Set.of());
        us = new CompaniesApi(client("key"));
        stranger = new CompaniesApi(client("none"));
        reader = new CompaniesApi(client("reader_key"));
        writer = new CompaniesApi(client("writer_key"));
    }

    private ApiClient client(String name) {
        String key = targets.path(name).asText("not a key");
        ApiClient client = new ApiClient();
        client.updateBaseUri(targets.get("url").asText());
        client.setRequestInterceptor(request -> request.header("X-API-Key", key));
        return client;
    }

    private interface Call<T> {
        ApiResponse<T> run() throws ApiException;
    }

    private <T> ApiResponse<T> good(String operation, int status, Call<T> call) throws ApiException {
        ApiResponse<T> answer = call.run();
        tour.saw(operation, answer.getStatusCode(), status);
        return answer;
    }

    /** The failure that the call ends with; a 304 has none. */
    private <T> Problem bad(String operation, int status, Call<T> call) throws Exception {
        try {
            call.run();
        } catch (ApiException failure) {
            tour.saw(operation, failure.getCode(), status);
            if (status < 400) {
                return null;
            }
            Problem problem = ApiClient.createDefaultObjectMapper().readValue(failure.getResponseBody(), Problem.class);
            equal(problem.getStatus().intValue(), status, operation);
            holds(!problem.getDetail().isEmpty(), operation + " says what is wrong");
            equal(header(failure.getResponseHeaders().map().get("content-type")), "application/problem+json", operation);
            return problem;
        }
        throw new AssertionError(operation + " was to answer " + status);
    }

    private static String header(List<String> values) {
        return values == null ? "" : values.get(0);
    }

    private static String header(ApiResponse<?> answer, String name) {
        return header(answer.getHeaders().get(name));
    }

    String run() throws Exception {
        List<String> states = List.of("SP", "RJ", "MG");
        List<String> numbers = Stream.of(1, 2, 3).map(number -> cnpj(300000000000L + number)).toList();
        String first = numbers.get(0);
        OffsetDateTime begin = OffsetDateTime.now(ZoneOffset.UTC).minusSeconds(1);
        Partner partner = new Partner().name("Ana Souza").cpf("52998224725").share(12.5);
        NewCompany fresh = null;
        for (int at = 0; at < 3; at++) {
            String state = states.get(at);
            NewCompany body = new NewCompany().cnpj(numbers.get(at)).name("Mercearia " + state + " & Filhos")
                .state(state).addPartnersItem(partner);
            ApiResponse<Company> made = good("companies_create", 201, () -> us.companiesCreateWithHttpInfo(body));
            Company company = made.getData();
            equal(company.getCnpj() + company.getState() + company.getRevision(), body.getCnpj() + state + 1, "created");
            equal(company.getPartners(), List.of(partner), "its partners");
            holds(company.getCreatedAt().isAfter(begin), "a moment is one");
            holds(header(made, "location").endsWith("/api/companies/" + body.getCnpj()), "it has an address");
            fresh = body;
        }
        NewCompany body = fresh;
        bad("companies_create", 409, () -> us.companiesCreateWithHttpInfo(body));
        Problem problem = bad("companies_create", 422,
            () -> us.companiesCreateWithHttpInfo(new NewCompany().cnpj(WRONG).name("Mercearia").state("SP")));
        equal(problem.getErrors().get(0).getPointer(), "#/cnpj", "the fault has a place");
        bad("companies_create", 401, () -> stranger.companiesCreateWithHttpInfo(body));
        bad("companies_create", 403, () -> reader.companiesCreateWithHttpInfo(body));

        ApiResponse<Company> shown =
            good("companies_show", 200, () -> reader.companiesShowWithHttpInfo(first, null));
        equal(shown.getData().getName(), "Mercearia SP & Filhos", "shown");
        bad("companies_show", 304, () -> us.companiesShowWithHttpInfo(first, header(shown, "etag")));
        bad("companies_show", 404, () -> us.companiesShowWithHttpInfo(UNKNOWN, null));
        problem = bad("companies_show", 422, () -> us.companiesShowWithHttpInfo(WRONG, null));
        equal(problem.getErrors().get(0).getParameter(), "cnpj", "the fault has a parameter");
        bad("companies_show", 401, () -> stranger.companiesShowWithHttpInfo(first, null));
        bad("companies_show", 403, () -> writer.companiesShowWithHttpInfo(first, null));

        lists(begin);
        writes(first, partner);
        history(first, partner, begin);

        var opened = good("workflow_open", 201, () -> us.workflowOpenWithHttpInfo(first));
        equal(header(opened, "location"), opened.getData().getUrl(), "the card has an address");
        bad("workflow_open", 404, () -> us.workflowOpenWithHttpInfo(UNKNOWN));
        bad("workflow_open", 422, () -> us.workflowOpenWithHttpInfo(WRONG));
        bad("workflow_open", 401, () -> stranger.workflowOpenWithHttpInfo(first));
        bad("workflow_open", 403, () -> reader.workflowOpenWithHttpInfo(first));
        register();
        return tour.end();
    }

    private ApiResponse<PageOfCompany> found(List<String> expected, List<String> state, List<String> sort,
        String q, OffsetDateTime since, Long page, Integer perPage) throws ApiException {
        ApiResponse<PageOfCompany> answer = good("companies_list", 200, () -> us.companiesListWithHttpInfo(
            page, perPage, q, sort == null ? null : new LinkedHashSet<>(sort), state, since, null));
        List<String> states = answer.getData().getItems().stream().map(Company::getState).toList();
        equal(states, expected, "list " + state + sort + q + since + page);
        return answer;
    }

    private void lists(OffsetDateTime begin) throws Exception {
        String q = "mercearia";
        found(List.of("MG", "RJ", "SP"), null, null, q, null, null, null);
        found(List.of("RJ", "SP"), List.of("SP", "RJ"), null, q, null, null, null);
        found(List.of("SP", "RJ"), List.of("SP", "RJ"), List.of("-name"), q, null, null, null);
        found(List.of("SP", "RJ", "MG"), null, List.of("-name", "cnpj"), q, null, null, null);
        found(List.of("SP"), null, null, "mercearia sp & f", null, null, null);
        found(List.of("MG", "RJ", "SP"), null, null, q, begin, null, null);
        // Java leaves out seconds that are 0 in some of its forms.
        OffsetDateTime minute = begin.truncatedTo(ChronoUnit.HOURS).withOffsetSameInstant(ZoneOffset.ofHours(-3));
        found(List.of("MG", "RJ", "SP"), null, null, q, minute, null, null);
        found(List.of(), null, null, q, begin.plusDays(1), null, null);
        ApiResponse<PageOfCompany> page = found(List.of("RJ"), null, null, q, null, 2L, 1);
        equal(page.getData().getTotal() + page.getData().getPages(), 6L, "a page");
        for (String rel : List.of("first", "prev", "next", "last")) {
            holds(header(page, "link").contains("rel=\"" + rel + "\""), rel);
        }
        ApiResponse<PageOfCompany> all = good("companies_list", 200,
            () -> us.companiesListWithHttpInfo(null, null, null, null, null, null, null));
        bad("companies_list", 304,
            () -> us.companiesListWithHttpInfo(null, null, null, null, null, null, header(all, "etag")));
        bad("companies_list", 422, () -> us.companiesListWithHttpInfo(null, 0, null, null, null, null, null));
        bad("companies_list", 401, () -> stranger.companiesListWithHttpInfo(null, null, null, null, null, null, null));
        bad("companies_list", 403, () -> writer.companiesListWithHttpInfo(null, null, null, null, null, null, null));
    }

    private void writes(String number, Partner partner) throws Exception {
        CompanyFields fields = new CompanyFields().name("Mercearia Nova").state("SP");
        Company company =
            good("companies_replace", 200, () -> us.companiesReplaceWithHttpInfo(number, fields, null, null)).getData();
        equal(company.getName() + company.getPartners(), "Mercearia Novanull", "replaced");
        bad("companies_replace", 404, () -> us.companiesReplaceWithHttpInfo(UNKNOWN, fields, null, null));
        bad("companies_replace", 422, () -> us.companiesReplaceWithHttpInfo(WRONG, fields, null, null));
        bad("companies_replace", 401, () -> stranger.companiesReplaceWithHttpInfo(number, fields, null, null));
        bad("companies_replace", 403, () -> reader.companiesReplaceWithHttpInfo(number, fields, null, null));
        CompanyFields other = new CompanyFields().name("Mercearia").state("SP").cnpj(UNKNOWN);
        Problem problem = bad("companies_replace", 409, () -> us.companiesReplaceWithHttpInfo(number, other, null, null));
        equal(problem.getErrors().get(0).getPointer(), "#/cnpj", "another");

        // A list, absent, null, absent: absent keeps what is known, and null forgets it.
        CompanyPatch[] patches = {
            new CompanyPatch().addPartnersItem(partner),
            new CompanyPatch().state("RJ"),
            new CompanyPatch().partners(null),
            new CompanyPatch().name("Mercearia Velha"),
        };
        for (int at = 0; at < patches.length; at++) {
            CompanyPatch patch = patches[at];
            company = good("companies_change", 200, () -> us.companiesChangeWithHttpInfo(number, patch, null, null)).getData();
            equal(company.getPartners(), at < 2 ? List.of(partner) : null, patch.toString());
        }
        bad("companies_change", 404, () -> us.companiesChangeWithHttpInfo(UNKNOWN, patches[1], null, null));
        bad("companies_change", 422, () -> us.companiesChangeWithHttpInfo(WRONG, patches[1], null, null));
        bad("companies_change", 401, () -> stranger.companiesChangeWithHttpInfo(number, patches[1], null, null));
        bad("companies_change", 403, () -> reader.companiesChangeWithHttpInfo(number, patches[1], null, null));

        // A write with the tag of another state is refused, and does nothing.
        String stale = header(good("companies_show", 200, () -> us.companiesShowWithHttpInfo(number, null)), "etag");
        CompanyPatch patch = new CompanyPatch().state("SP");
        good("companies_change", 200, () -> us.companiesChangeWithHttpInfo(number, patch, stale, null));
        bad("companies_change", 412, () -> us.companiesChangeWithHttpInfo(number, patches[1], stale, null));
        bad("companies_replace", 412, () -> us.companiesReplaceWithHttpInfo(number, fields, stale, null));
        ApiResponse<Company> shown = good("companies_show", 200, () -> us.companiesShowWithHttpInfo(number, null));
        equal(shown.getData().getState(), "SP", "what was refused");
        String tag = header(shown, "etag");
        good("companies_replace", 200, () -> us.companiesReplaceWithHttpInfo(number, fields, tag, null));
    }

    private void history(String number, Partner partner, OffsetDateTime begin) throws Exception {
        List<HistoryEntry> latest = good("companies_history", 200,
            () -> us.companiesHistoryWithHttpInfo(number, null, 2, null)).getData();
        equal(latest.stream().map(HistoryEntry::getRevision).toList(), List.of(8L, 7L), "the latest first");
        holds(latest.get(1).getAt().isAfter(begin), "a moment is one");
        ApiResponse<List<HistoryEntry>> all =
            good("companies_history", 200, () -> us.companiesHistoryWithHttpInfo(number, null, null, null));
        HistoryEntry inserted = all.getData().get(all.getData().size() - 1);
        equal(inserted.getAction(), Action.INSERT, "what was done");
        equal(inserted.getCompany().getPartners(), List.of(partner), "what it was");
        bad("companies_history", 304, () -> us.companiesHistoryWithHttpInfo(number, null, null, header(all, "etag")));
        bad("companies_history", 404, () -> us.companiesHistoryWithHttpInfo(UNKNOWN, null, null, null));
        bad("companies_history", 422, () -> us.companiesHistoryWithHttpInfo(number, null, 0, null));
        bad("companies_history", 401, () -> stranger.companiesHistoryWithHttpInfo(number, null, null, null));
        bad("companies_history", 403, () -> writer.companiesHistoryWithHttpInfo(number, null, null, null));
    }

    private void register() throws Exception {
        RegisterApi register = new RegisterApi(client("key"));
        String known = targets.get("known").asText();
        equal(good("register_look_up", 200, () -> register.registerLookUpWithHttpInfo(known)).getData().getCnpj(),
            known, "looked up");
        String unknown = targets.get("unknown").asText();
        bad("register_look_up", 404, () -> register.registerLookUpWithHttpInfo(unknown));
        bad("register_look_up", 422, () -> register.registerLookUpWithHttpInfo(WRONG));
        RegisterApi strangers = new RegisterApi(client("none"));
        bad("register_look_up", 401, () -> strangers.registerLookUpWithHttpInfo(known));
        RegisterApi writers = new RegisterApi(client("writer_key"));
        bad("register_look_up", 403, () -> writers.registerLookUpWithHttpInfo(known));
    }
}
