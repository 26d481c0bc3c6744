<?php
/**
 * Fields of an item on the wire.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

/**
 * Reads the fields of one JSON object without coercion. A value that differs from the wire's definition throws InvalidField, and the other
 * items of the batch continue. Unknown fields are ignored, because a newer service may send more.
 */
final class WireFields {

	private const INT64_MAX = '9223372036854775807';

	/** @param array<int|string, mixed> $fields The decoded object. */
	private function __construct( private readonly array $fields ) {}

	/**
	 * @param mixed  $item   A decoded item; it should be an object.
	 * @param string $blamed The field to name when the item is no object.
	 * @throws InvalidField
	 */
	public static function of( $item, string $blamed ): self {
		if ( ! is_array( $item ) || ( array() !== $item && array_is_list( $item ) ) ) {
			throw new InvalidField( $blamed );
		}
		return new self( $item );
	}

	public function has( string $name ): bool {
		return array_key_exists( $name, $this->fields );
	}

	/**
	 * Refuses fields that contradict the item's other fields.
	 *
	 * @param string[] $names Names of fields.
	 * @throws InvalidField
	 */
	public function none_of( array $names ): void {
		foreach ( $names as $name ) {
			if ( $this->has( $name ) ) {
				throw new InvalidField( $name );
			}
		}
	}

	/**
	 * Returns a positive int64 that is sent as text. A JSON number would lose digits in JavaScript and in PHP on 32 bit.
	 *
	 * @throws InvalidField
	 */
	public function int64( string $name ): int {
		$text = $this->fields[ $name ] ?? null;
		if ( ! is_string( $text ) || ! preg_match( '/^[1-9][0-9]{0,18}$/D', $text ) || ( 19 === strlen( $text ) && 0 < strcmp( $text, self::INT64_MAX ) ) ) {
			throw new InvalidField( $name );
		}
		return (int) $text;
	}

	/**
	 * Returns a JSON number without a fraction.
	 *
	 * @throws InvalidField
	 */
	public function integer( string $name, int $at_least ): int {
		$value = $this->fields[ $name ] ?? null;
		if ( ! is_int( $value ) || $value < $at_least ) {
			throw new InvalidField( $name );
		}
		return $value;
	}

	/**
	 * Returns an integer or null. A missing field is invalid.
	 *
	 * @throws InvalidField
	 */
	public function integer_or_null( string $name, int $at_least ): ?int {
		return $this->has( $name ) && null === $this->fields[ $name ] ? null : $this->integer( $name, $at_least );
	}

	/**
	 * @throws InvalidField
	 */
	public function is_true( string $name ): void {
		if ( true !== ( $this->fields[ $name ] ?? null ) ) {
			throw new InvalidField( $name );
		}
	}

	/**
	 * Returns a decimal that is sent as text, unchanged.
	 *
	 * @throws InvalidField
	 */
	public function decimal( string $name ): string {
		$text = $this->fields[ $name ] ?? null;
		if ( ! is_string( $text ) || ! preg_match( '/^-?[0-9]{1,15}(\.[0-9]{1,6})?$/D', $text ) ) {
			throw new InvalidField( $name );
		}
		return $text;
	}

	/**
	 * Returns an RFC 3339 time in unix seconds.
	 *
	 * @throws InvalidField
	 */
	public function time( string $name ): int {
		$text    = $this->fields[ $name ] ?? null;
		$pattern = '/^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d{1,9})?([Zz]|[+-](\d\d):(\d\d))$/D';
		if ( ! is_string( $text ) || ! preg_match( $pattern, $text, $parts ) ) {
			throw new InvalidField( $name );
		}
		$is_date   = checkdate( (int) $parts[2], (int) $parts[3], (int) $parts[1] );
		$is_time   = 24 > (int) $parts[4] && 60 > (int) $parts[5] && 60 > (int) $parts[6];
		$is_offset = ! isset( $parts[9] ) || ( 24 > (int) $parts[9] && 60 > (int) $parts[10] );
		if ( ! $is_date || ! $is_time || ! $is_offset ) {
			throw new InvalidField( $name );
		}
		$offset = isset( $parts[9] ) ? ( '-' === $parts[8][0] ? -1 : 1 ) * ( 3600 * (int) $parts[9] + 60 * (int) $parts[10] ) : 0;
		return gmmktime( (int) $parts[4], (int) $parts[5], (int) $parts[6], (int) $parts[2], (int) $parts[3], (int) $parts[1] ) - $offset;
	}

	/**
	 * @throws InvalidField
	 */
	public function text( string $name ): string {
		$text = $this->fields[ $name ] ?? null;
		if ( ! is_string( $text ) ) {
			throw new InvalidField( $name );
		}
		return $text;
	}

	/**
	 * Returns the fields of an object. A field of it that is invalid is named by its own name.
	 *
	 * @throws InvalidField
	 */
	public function object( string $name ): self {
		return self::of( $this->fields[ $name ] ?? null, $name );
	}

	/**
	 * @return string[]
	 * @throws InvalidField
	 */
	public function texts( string $name ): array {
		$texts = $this->fields[ $name ] ?? null;
		if ( ! is_array( $texts ) || ! array_is_list( $texts ) || $texts !== array_filter( $texts, 'is_string' ) ) {
			throw new InvalidField( $name );
		}
		return $texts;
	}

	/**
	 * Returns a text that matches a pattern. Codes and ids need it, because their columns have a limited length.
	 *
	 * @throws InvalidField
	 */
	public function matching( string $name, string $pattern ): string {
		$text = $this->text( $name );
		if ( ! preg_match( $pattern, $text ) ) {
			throw new InvalidField( $name );
		}
		return $text;
	}
}
