<?php
/**
 * One item of a batch is wrong.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

/** Names the field; its item alone is answered `invalid`. */
final class InvalidField extends \DomainException {

	public function __construct( public readonly string $field ) {
		parent::__construct( $field );
	}
}
