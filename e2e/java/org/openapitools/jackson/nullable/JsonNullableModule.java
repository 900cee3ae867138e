package org.openapitools.jackson.nullable;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.BeanDescription;
import com.fasterxml.jackson.databind.BeanProperty;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.SerializationConfig;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.ContextualDeserializer;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.BeanPropertyWriter;
import com.fasterxml.jackson.databind.ser.BeanSerializerModifier;
import java.io.IOException;
import java.util.List;

/** Writes and reads {@link JsonNullable}; an absent member is not written. */
public final class JsonNullableModule extends SimpleModule {
    public JsonNullableModule() {
        addSerializer(new Serializer());
        addDeserializer(JsonNullable.class, new Deserializer(null));
        setSerializerModifier(new Modifier());
    }

    private static final class Serializer extends JsonSerializer<JsonNullable<?>> {
        @Override
        @SuppressWarnings("unchecked")
        public Class<JsonNullable<?>> handledType() {
            return (Class<JsonNullable<?>>) (Class<?>) JsonNullable.class;
        }

        @Override
        public void serialize(JsonNullable<?> member, JsonGenerator out, SerializerProvider provider)
            throws IOException {
            provider.defaultSerializeValue(member.orElse(null), out);
        }
    }

    private static final class Deserializer extends JsonDeserializer<JsonNullable<?>>
        implements ContextualDeserializer {
        private final JavaType type;

        Deserializer(JavaType type) {
            this.type = type;
        }

        @Override
        public JsonDeserializer<?> createContextual(DeserializationContext context, BeanProperty property) {
            return new Deserializer(context.getContextualType().containedType(0));
        }

        @Override
        public JsonNullable<?> deserialize(JsonParser parser, DeserializationContext context)
            throws IOException {
            return JsonNullable.of(context.readValue(parser, type));
        }

        @Override
        public JsonNullable<?> getNullValue(DeserializationContext context) {
            return JsonNullable.of(null);
        }

        @Override
        public JsonNullable<?> getAbsentValue(DeserializationContext context) {
            return JsonNullable.undefined();
        }
    }

    private static final class Modifier extends BeanSerializerModifier {
        @Override
        public List<BeanPropertyWriter> changeProperties(
            SerializationConfig config, BeanDescription bean, List<BeanPropertyWriter> writers) {
            writers.replaceAll(writer ->
                writer.getType().hasRawClass(JsonNullable.class) ? new Writer(writer) : writer);
            return writers;
        }
    }

    private static final class Writer extends BeanPropertyWriter {
        Writer(BeanPropertyWriter writer) {
            super(writer);
        }

        @Override
        public void serializeAsField(Object bean, JsonGenerator out, SerializerProvider provider)
            throws Exception {
            if (((JsonNullable<?>) get(bean)).isPresent()) {
                super.serializeAsField(bean, out, provider);
            }
        }
    }
}
