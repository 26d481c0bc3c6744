<?php
/**
 * The error of one invalid item.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

/** Names the invalid field. Only its item gets the result `invalid`. */
final class InvalidField extends \DomainException {

	public function __construct( public readonly string $field ) {
		parent::__construct( $field );
	}
}
