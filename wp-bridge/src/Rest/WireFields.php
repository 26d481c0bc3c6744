<?php
/**
 * The fields of one item on the bridge's wire.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

/**
 * Reads the fields of one JSON object. Nothing is coerced: what is not as the wire says is an InvalidField, and its neighbours in the
 * batch go on. A field that nobody asks for is passed over: a service that is newer than the plugin may send more.
 */
final class WireFields {

	private const INT64_MAX = '9223372036854775807';

	/** @param array<int|string, mixed> $fields As decoded. */
	private function __construct( private readonly array $fields ) {}

	/**
	 * @param mixed  $item   An item as decoded; should be an object.
	 * @param string $blamed The field to name when it is none.
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
	 * Refuses fields that contradict what the item says.
	 *
	 * @param string[] $names Names.
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
	 * A positive int64 as a text: a JSON number would lose digits in JavaScript and in PHP on 32 bit.
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
	 * A JSON number without a fraction.
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
	 * The field must be there; null is an answer.
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
	 * A decimal as a text, kept as it came.
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
	 * A time of RFC 3339, in unix seconds.
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
	 * A text of a kind; for codes and ids, which have columns of a length.
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
