package org.openapitools.jackson.nullable;

import java.util.NoSuchElementException;
import java.util.Objects;

/** A member that is absent, null or a value. */
public final class JsonNullable<T> {
    private static final JsonNullable<?> UNDEFINED = new JsonNullable<>(null, false);

    private final T value;
    private final boolean isPresent;

    private JsonNullable(T value, boolean isPresent) {
        this.value = value;
        this.isPresent = isPresent;
    }

    /** Returns the absent member. */
    @SuppressWarnings("unchecked")
    public static <T> JsonNullable<T> undefined() {
        return (JsonNullable<T>) UNDEFINED;
    }

    /** Returns a member with this value, which may be null. */
    public static <T> JsonNullable<T> of(T value) {
        return new JsonNullable<>(value, true);
    }

    public boolean isPresent() {
        return isPresent;
    }

    /** Returns the value; fails if the member is absent. */
    public T get() {
        if (!isPresent) {
            throw new NoSuchElementException("the member is absent");
        }
        return value;
    }

    public T orElse(T other) {
        return isPresent ? value : other;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof JsonNullable<?> that
            && isPresent == that.isPresent && Objects.equals(value, that.value);
    }

    @Override
    public int hashCode() {
        return Objects.hash(value, isPresent);
    }

    @Override
    public String toString() {
        return isPresent ? "JsonNullable[" + value + "]" : "JsonNullable.undefined";
    }
}
